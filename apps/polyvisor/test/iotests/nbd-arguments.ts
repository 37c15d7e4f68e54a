/** `qemu-nbd`'s command line in words of `polyvisor nbd serve`. */
export interface NbdArguments {
  readonly args: readonly string[];
  readonly fork: boolean;
  readonly pidFile: string | undefined;
}

const WITH_VALUE: Readonly<Record<string, string>> = {
  '-k': '--socket',
  '--socket': '--socket',
  '-x': '--export-name',
  '--export-name': '--export-name',
  '-D': '--description',
  '--description': '--description',
  '-f': '--format',
  '--format': '--format',
  '-e': '--max-clients',
  '--shared': '--max-clients',
  '-B': '--bitmap',
  '--bitmap': '--bitmap',
  '-l': '--snapshot',
  '--load-snapshot': '--snapshot',
  '--cache': '--cache',
  '--discard': '--discard',
  '--object': '--object',
};
const SWITCHES: Readonly<Record<string, string | undefined>> = {
  '-r': '--read-only',
  '--read-only': '--read-only',
  '-t': '--persistent',
  '--persistent': '--persistent',
  '-A': '--allocation-depth',
  '--allocation-depth': '--allocation-depth',
  '--image-opts': '--image-opts',
  '-v': undefined,
  '--verbose': undefined,
};

/** Options without a counterpart go through, to be refused by name. */
export function nbdArguments(given: readonly string[]): NbdArguments {
  const args: string[] = [];
  let fork = false;
  let pidFile: string | undefined;
  let port: string | undefined;
  let host: string | undefined;
  for (let at = 0; at < given.length; at++) {
    const word = given[at]!;
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const flag = equals < 0 ? word : word.slice(0, equals);
    const value = (): string => (equals < 0 ? (given[++at] ?? '') : word.slice(equals + 1));
    if (flag === '--pid-file') pidFile = value();
    else if (flag === '--fork') fork = true;
    else if (flag === '-p' || flag === '--port') port = value();
    else if (flag === '-b' || flag === '--bind') host = value();
    else if (WITH_VALUE[flag] !== undefined)
      args.push(`${WITH_VALUE[flag]}=${value().replace(/^snapshot\.(id|name)=/, '')}`);
    else if (Object.hasOwn(SWITCHES, flag)) {
      if (SWITCHES[flag] !== undefined) args.push(SWITCHES[flag]);
    } else args.push(word);
  }
  if (port !== undefined || host !== undefined)
    args.unshift('--listen', `${host ?? '127.0.0.1'}:${port ?? 10809}`);
  return { args, fork, pidFile };
}
