/** Tests of tests: mistakes made on purpose in a copy of a package, each of which one of its tests must notice. */
export { applyChanges, type Change } from './change.ts';
export type { Mistake } from './mistake.ts';
export { playMistakes } from './play.ts';
export type { Played } from './play.ts';
