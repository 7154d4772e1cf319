import { fileURLToPath } from 'node:url';

export { IMAGES } from '../images.ts';
export { membersInContainers } from '../redundant/ask-in-container.ts';
export { assertRedundant, findPrimary, handOverPostgres, type Members } from '../redundant/primary.ts';
export { DATA_LABEL, dataLabels, deploy, remove, type Passwords } from './deploy.ts';
export { dockerAt, type Docker } from './docker.ts';
export type { Wish } from './variables.ts';

/** Publishes Postgres on its machine, at TEST_POSTGRES_PORT: an overlay of the stack, for tests. */
export function watchedPostgres({ ha }: { ha: boolean }): string {
  return fileURLToPath(new URL(ha ? 'watched-router.yml' : 'watched-postgres.yml', import.meta.url));
}
