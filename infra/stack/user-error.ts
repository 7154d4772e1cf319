/** A mistake or an obstacle that the user can mend: its message is printed alone, without a stack, and exits 1. */
export class UserError extends Error {
  override name = 'UserError';
}
