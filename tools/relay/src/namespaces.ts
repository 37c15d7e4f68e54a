import { execFileSync } from 'node:child_process';

/** Two hosts and the network between them, on this one. */
export interface JoinedNamespaces {
  /** The names of the namespaces. */
  readonly cpu: string;
  readonly devices: string;
  /** Where a relay must run: the only one that reaches both. It doesn't forward by itself. */
  readonly relay: string;
  /** Addresses: of each host, and of the relay on its side. */
  readonly addresses: {
    readonly cpu: string;
    readonly cpuGateway: string;
    readonly devices: string;
    readonly devicesGateway: string;
  };
  /** Words that run a command in a namespace. */
  exec(namespace: string, command: readonly string[]): string[];
  /** Removes everything. Idempotent. */
  close(): void;
}

/** Why there can be no namespaces here; undefined if they can be made. Makes one to see, and removes it. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `pv-probe-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'delete', name);
    return undefined;
  } catch (error) {
    return `no network namespaces: ${error instanceof Error ? error.message.split('\n').at(-1) : String(error)}`;
  }
}

/**
 * Makes two network namespaces that know nothing of each other, and a third between them that both reach: a relay
 * in that one is the network. Needs root. `subnet`: 10.`subnet`.0.0/16 is theirs.
 */
export function createNamespaces(name = `pv${process.pid}`, subnet = 77): JoinedNamespaces {
  const [cpu, devices, relay] = [`${name}-cpu`, `${name}-dev`, `${name}-net`];
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    for (const each of [cpu, devices, relay]) {
      try {
        ip('netns', 'delete', each);
      } catch {
        // It had not been made.
      }
    }
  };
  const addresses = {
    cpu: `10.${subnet}.1.2`,
    cpuGateway: `10.${subnet}.1.1`,
    devices: `10.${subnet}.2.2`,
    devicesGateway: `10.${subnet}.2.1`,
  };
  try {
    for (const each of [cpu, devices, relay]) {
      ip('netns', 'add', each);
      ip('-n', each, 'link', 'set', 'lo', 'up');
    }
    join(cpu, relay, 'cpu0', addresses.cpu, addresses.cpuGateway);
    join(devices, relay, 'dev0', addresses.devices, addresses.devicesGateway);
  } catch (error) {
    close();
    throw error;
  }
  return {
    cpu,
    devices,
    relay,
    addresses,
    exec: (namespace, command) => ['ip', 'netns', 'exec', namespace, ...command],
    close,
  };
}

function join(host: string, relay: string, link: string, address: string, gateway: string): void {
  ip('-n', relay, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
  ip('-n', relay, 'address', 'add', `${gateway}/24`, 'dev', link);
  ip('-n', host, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', relay, 'link', 'set', link, 'up');
  ip('-n', host, 'link', 'set', 'eth0', 'up');
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
