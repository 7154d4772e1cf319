import { name } from '@lastseat/infra/command-line';

/** Of every program that starts a stack for itself. */
export const RUNTIME = name(['native', 'docker'], {
  what: 'what the stack is made of (default: processes where they are installed)',
});
