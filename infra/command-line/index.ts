export { nearest } from './did-you-mean.ts';
export { parseFlags, type NumberRange } from './flags.ts';
export { refuseUnwritable, speakBeside, writeJson, type JsonTarget } from './json-report.ts';
export {
  helpText,
  json,
  name,
  names,
  number,
  numbers,
  readCommand,
  readTable,
  text,
  variablesOf,
  yes,
  type OptionTable,
  type OptionValues,
} from './option-table.ts';
export { runProgram, runWithOptions } from './run-program.ts';
export { UsageError } from './usage-error.ts';
export { UserError } from '../stack/user-error.ts';
export { refuseUnknownVariables, VARIABLES } from './variables.ts';
export { wrap } from './wrap.ts';
