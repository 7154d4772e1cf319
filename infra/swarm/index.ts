import { fileURLToPath } from 'node:url';

export { IMAGES } from '../images.ts';
export { DATA_LABEL, deploy, remove, type Passwords } from './deploy.ts';
export { dockerAt, type Docker } from './docker.ts';
export type { Wish } from './variables.ts';

/** Publishes Postgres on its machine, at TEST_POSTGRES_PORT: an overlay of the stack, for tests. */
export const watchedPostgres = fileURLToPath(new URL('watched-postgres.yml', import.meta.url));
