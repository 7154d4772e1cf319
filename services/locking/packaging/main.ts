import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { stagePackage } from './stage-package.ts';

/** `make pack`: the package as it is published, and its tarball, in `.lastseat/package`. */
const folder = fileURLToPath(new URL('../../../.lastseat/package/', import.meta.url));
stagePackage(folder);
const { status } = spawnSync('npm', ['pack'], { cwd: folder, stdio: 'inherit' });
process.exitCode = status ?? 1;
