/** What makes one rootfs different from another. */
export interface RootfsIdentity {
  readonly hostname: string;
  /** crypt(3) hash of root's password; absent: none can log in with one. */
  readonly passwordHash?: string;
  readonly autologin: boolean;
}

export const ROOTFS_LABEL = 'polyvisor-root';

/** Packages beside the base system that a guest needs to start, to be reached and to be looked at. */
export const ROOTFS_PACKAGES = [
  'systemd-sysv',
  'systemd-resolved',
  'udev',
  'dbus',
  'kmod',
  'iproute2',
  'iputils-ping',
  'netbase',
  'ca-certificates',
  'less',
  'vim-tiny',
];

/** Configuration files of a rootfs, by path. None may belong to a package, which would overwrite or ask. */
export function rootfsFiles({ hostname, autologin }: RootfsIdentity): Readonly<Record<string, string>> {
  return {
    'etc/hostname': `${hostname}\n`,
    'etc/hosts': `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`,
    'etc/fstab': `LABEL=${ROOTFS_LABEL} / ext4 errors=remount-ro 0 1\n`,
    'etc/systemd/network/80-polyvisor.network': '[Match]\nType=ether\n\n[Network]\nDHCP=yes\n',
    ...(autologin ? { 'etc/systemd/system/serial-getty@.service.d/autologin.conf': AUTOLOGIN } : {}),
  };
}

const AUTOLOGIN = `[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 - $TERM
`;

/** Runs inside the finished system, once all packages are configured. */
export function finishScript({ passwordHash }: RootfsIdentity): string {
  const password =
    passwordHash === undefined ? 'passwd -q -l root' : `echo ${quote(`root:${passwordHash}`)} | chpasswd -e`;
  return `set -e
${password}
systemctl enable systemd-networkd.service systemd-resolved.service
mkdir -p /usr/lib/modules
rm -f /etc/machine-id
: >/etc/machine-id
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_dists_*
`;
}

/** Until the packages are configured dpkg need not sync each file: a start that breaks off has to be made anew anyway. */
export const FIRST_BOOT_FILES: Readonly<Record<string, string>> = {
  'etc/dpkg/dpkg.cfg.d/polyvisor-first-boot': 'force-unsafe-io\n',
};

/**
 * Stands as /sbin/init of a disk whose packages are unpacked on a host that can't run them: configures them at the
 * first start, then becomes the real init, which the packages have put in this script's place by then.
 */
export function firstBootScript(mirror: string, suite: string): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
mount -o remount,rw /
# The initramfs moved them here; debootstrap may unmount them.
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
echo "polyvisor: first start: configuring Debian, this takes some minutes"
if /debootstrap/debootstrap --second-stage && { mountpoint -q /proc || mount -t proc proc /proc; } && sh /debootstrap.finish; then
  rm -f /debootstrap.finish /etc/dpkg/dpkg.cfg.d/polyvisor-first-boot
  echo ${quote(`deb ${mirror} ${suite} main`)} >/etc/apt/sources.list
  sync
  echo "polyvisor: Debian is configured"
  exec /sbin/init
fi
echo "polyvisor: configuring Debian failed; see /debootstrap/debootstrap.log; here is a shell"
exec /bin/sh
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
