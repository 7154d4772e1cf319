import { IMAGES } from '../../../../images.ts';
import { containersOf, nameOf, podsOf, type Manifest } from '../manifests.ts';

/** Every image is one that all ways of running share, or our own in a release that can be named. */
export function images(objects: readonly Manifest[]): string[] {
  const shared: readonly string[] = Object.values(IMAGES);
  const ofContainers = podsOf(objects).flatMap((pods) =>
    containersOf(pods).map(({ image = '' }) => ({ of: pods.of, image })),
  );
  return [...ofContainers, ...ofOperators(objects)].flatMap(({ of, image }) => {
    const [, release] = /(?:^|\/)lastseat-booking(?::([^:@]+)|@sha256:\w+)?$/.exec(image) ?? [];
    if (/(?:^|\/)lastseat-booking/.test(image)) {
      const isNamed =
        image.includes('@') || (release !== undefined && !['latest', 'unset'].includes(release));
      return isNamed ? [] : [`${of} runs ${image}, which names no release`];
    }
    return shared.includes(image) ? [] : [`${of} runs ${image}, which is not the one of infra/images.ts`];
  });
}

/** What an operator is told to run. */
function ofOperators(objects: readonly Manifest[]): { of: string; image: string }[] {
  const clusters = objects.filter(({ kind }) => kind === 'Cluster');
  return (clusters as (Manifest & { spec: { imageName: string } })[]).map((cluster) => ({
    of: nameOf(cluster),
    image: cluster.spec.imageName,
  }));
}
