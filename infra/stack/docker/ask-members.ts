import { membersInContainers } from '../../redundant/ask-in-container.ts';
import type { Members } from '../../redundant/primary.ts';
import { capture } from '../run-command.ts';
import { listContainers } from './containers.ts';

/** The members of a project of Compose. */
export function membersOfProject(project: string): Members {
  return membersInContainers(async (part, command, limitMs) => {
    const container = (await listContainers(project)).find(({ service }) => service === part);
    if (!container?.isRunning) throw new Error(`${part} does not run`);
    const { code, stdout, stderr } = await capture('docker', ['exec', container.name, ...command], limitMs);
    if (code !== 0) throw new Error(`${part}: ${stderr.trim() || 'no answer'}`);
    return stdout;
  });
}
