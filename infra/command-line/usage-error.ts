import { UserError } from '../stack/user-error.ts';

/** A wrong option or variable: one line that names it and what to write instead. Nothing has run yet; exits 2. */
export class UsageError extends UserError {
  override name = 'UsageError';
}
