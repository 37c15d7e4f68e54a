import { PolyvisorError } from '@polyvisor/contracts';

/** What `polyvisor run` boots when nothing else is said. */
export const DEFAULT_IMAGE = 'debian:trixie/riscv64';

export const IMAGE_SUITES = ['trixie', 'forky', 'sid'] as const;
export const IMAGE_ARCHITECTURES = ['riscv64'] as const;

/** `debian` is a kernel with an initramfs and firmware, `opensbi` the firmware alone. */
export type ImageKind = 'debian' | 'opensbi';

export interface ImageName {
  readonly kind: ImageKind;
  readonly suite: string;
  readonly architecture: string;
}

/** Parses `debian:SUITE/ARCH` or `opensbi:SUITE/ARCH`. Errors: `invalid-argument`. */
export function parseImageName(text: string): ImageName {
  const match = /^(debian|opensbi):([a-z]+)\/([a-z0-9]+)$/.exec(text);
  if (match === null) throw refuse(text, 'form: debian:SUITE/ARCHITECTURE');
  const [, kind, suite, architecture] = match;
  if (!(IMAGE_SUITES as readonly string[]).includes(suite!))
    throw refuse(text, `suites: ${IMAGE_SUITES.join(', ')}`);
  if (!(IMAGE_ARCHITECTURES as readonly string[]).includes(architecture!))
    throw refuse(text, `architectures: ${IMAGE_ARCHITECTURES.join(', ')}`);
  return { kind: kind as ImageKind, suite: suite!, architecture: architecture! };
}

export function formatImageName({ kind, suite, architecture }: ImageName): string {
  return `${kind}:${suite}/${architecture}`;
}

function refuse(text: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', {
    what: 'unknown image',
    which: text,
    limit,
    hint: `for example ${DEFAULT_IMAGE}`,
  });
}
