export { nearest } from './did-you-mean.ts';
export { isYes, parseFlags, variableOf, wholeNumber, withBareJson, type NumberRange } from './flags.ts';
export { jsonTarget, refuseUnwritable, writeJson, type JsonTarget } from './json-report.ts';
export { UsageError } from './usage-error.ts';
export { refuseUnknownVariables, VARIABLES } from './variables.ts';
