import type { ConfinementLimits, ConfinementPolicy, PathGrants } from './policy.ts';

/** What every role's policy is made of. Paths are absolute. */
export interface RoleOptions {
  /** See `programFolders`. */
  readonly program: readonly string[];
  /** Unix sockets that it connects to. */
  readonly connect?: readonly string[];
  /** Unix sockets that it serves (gRPC, metrics). */
  readonly listen?: readonly string[];
  /** gRPC between hosts: ports that it serves, and ports of its peers. */
  readonly rpcListen?: readonly number[];
  readonly rpcConnect?: readonly number[];
  /** Certificates, keys, public keys of tokens: files that it reads. */
  readonly credentials?: readonly string[];
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly limits?: ConfinementLimits;
  readonly require?: ConfinementPolicy['require'];
}

/** What the device host of one VM does besides. */
export interface DeviceHostOptions extends RoleOptions {
  /** Trees that the guest sees through 9p. */
  readonly shares?: PathGrants;
  /** User networking: the guest may go anywhere, and these ports of the host lead to it. */
  readonly userNetworking?: { readonly forwardedPorts: readonly number[] };
  /** Device nodes that it opens itself: `/dev/net/tun`. */
  readonly deviceNodes?: readonly string[];
}

/** Shares, the sockets of its VM, and the network only if the guest has user networking. */
export function deviceHostPolicy(options: DeviceHostOptions): ConfinementPolicy {
  const { shares, userNetworking, deviceNodes } = options;
  const base = basePolicy(options);
  return {
    ...base,
    role: 'device-host',
    files: { readOnly: options.credentials ?? [], readWrite: deviceNodes ?? [] },
    ...(shares === undefined ? {} : { folders: shares }),
    sockets:
      userNetworking === undefined
        ? base.sockets
        : {
            ...base.sockets,
            tcpConnect: 'any',
            tcpListen: [...(options.rpcListen ?? []), ...userNetworking.forwardedPorts],
            udp: true,
          },
    changesMetadata: (shares?.readWrite?.length ?? 0) > 0,
  };
}

/** What the block host of one VM does besides. */
export interface BlockHostOptions extends RoleOptions {
  /** Image files by name, backing files among the read-only ones. */
  readonly images: PathGrants;
  /** Folders where it may create overlays and snapshots: only when told. */
  readonly createIn?: readonly string[];
}

/** Exactly its images. Locks are on the images themselves and need nothing more. */
export function blockHostPolicy(options: BlockHostOptions): ConfinementPolicy {
  const { images, createIn } = options;
  return {
    ...basePolicy(options),
    role: 'block-host',
    files: {
      readOnly: [...(images.readOnly ?? []), ...(options.credentials ?? [])],
      readWrite: images.readWrite ?? [],
    },
    ...(createIn === undefined ? {} : { folders: { readWrite: createIn } }),
  };
}

/** What the CPU process of one VM does besides. */
export interface VmmOptions extends RoleOptions {
  /** Kernel, initrd, firmware, device tree: read only. */
  readonly images: readonly string[];
  /** `/dev/kvm`, where that is the accelerator. */
  readonly deviceNodes?: readonly string[];
}

/** What it boots, and nothing of the network but gRPC between hosts. */
export function vmmPolicy(options: VmmOptions): ConfinementPolicy {
  return {
    ...basePolicy(options),
    role: 'vmm',
    files: {
      readOnly: [...options.images, ...(options.credentials ?? [])],
      readWrite: options.deviceNodes ?? [],
    },
  };
}

function basePolicy(options: RoleOptions): Omit<ConfinementPolicy, 'role' | 'files'> & {
  readonly sockets: NonNullable<ConfinementPolicy['sockets']>;
} {
  return {
    program: options.program,
    sockets: {
      connect: options.connect ?? [],
      listen: options.listen ?? [],
      tcpConnect: options.rpcConnect ?? [],
      tcpListen: options.rpcListen ?? [],
    },
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.require === undefined ? {} : { require: options.require }),
  };
}
