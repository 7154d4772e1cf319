import { IMAGES } from '../../../../images.ts';
import { containersOf, podsOf, type Manifest } from '../manifests.ts';

/** Every image is one that all ways of running share, or our own in a release that can be named. */
export function images(objects: readonly Manifest[]): string[] {
  const shared: readonly string[] = Object.values(IMAGES);
  return podsOf(objects).flatMap((pods) =>
    containersOf(pods).flatMap(({ image = '' }) => {
      const [, release] = /(?:^|\/)lastseat-booking(?::([^:@]+)|@sha256:\w+)?$/.exec(image) ?? [];
      if (/(?:^|\/)lastseat-booking/.test(image)) {
        const isNamed =
          image.includes('@') || (release !== undefined && !['latest', 'unset'].includes(release));
        return isNamed ? [] : [`${pods.of} runs ${image}, which names no release`];
      }
      return shared.includes(image)
        ? []
        : [`${pods.of} runs ${image}, which is not the one of infra/images.ts`];
    }),
  );
}
