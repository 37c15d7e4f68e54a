import { INIT_GREETING } from './init-greeting.ts';

/**
 * The initramfs' /init. Its first line is what start-up benchmarks wait for.
 * Modules are found by what the virtio devices are called, so absent devices cost nothing.
 */
export const INIT_SCRIPT = `#!/bin/busybox sh
bb=/bin/busybox
$bb echo "${INIT_GREETING}"
$bb mount -t devtmpfs dev /dev
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mkdir -p /dev/pts /run /tmp /mnt /newroot
$bb mount -t devpts devpts /dev/pts
$bb mount -t tmpfs run /run
$bb mount -t tmpfs tmp /tmp
$bb --install -s
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM="\${TERM:-vt220}"
hostname -F /etc/hostname
ip link set lo up

modprobe -q virtio_mmio
# A virtio console is there only now: what was printed before went nowhere.
if ! [ -t 1 ]; then
  tries=0
  until (: </dev/console) 2>/dev/null || [ $tries -ge 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  (: </dev/console) 2>/dev/null && exec </dev/console >/dev/console 2>&1
  echo "${INIT_GREETING}"
fi
for device in /sys/bus/virtio/devices/*; do
  [ -e "$device/modalias" ] && modprobe -q "$(cat "$device/modalias")"
done

root= rootflags= rootfstype=auto init=/sbin/init mode=ro
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root=\${word#root=} ;;
    rootflags=*) rootflags=,\${word#rootflags=} ;;
    rootfstype=*) rootfstype=\${word#rootfstype=} ;;
    init=*) init=\${word#init=} ;;
    rw) mode=rw ;;
    ro) mode=ro ;;
  esac
done

if [ -n "$root" ]; then
  case "$root" in
    LABEL=* | UUID=*) device=$(findfs "$root") ;;
    *) device=$root ;;
  esac
  tries=0
  while [ ! -b "$device" ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  [ "$rootfstype" = auto ] && rootfstype=ext4
  if mount -t "$rootfstype" -o "$mode$rootflags" "$device" /newroot && [ -x "/newroot$init" -o -L "/newroot$init" ]; then
    # The system on the disk need not have this kernel's modules.
    modules=/newroot/lib/modules
    if [ -d $modules ] && [ ! -d "$modules/$(uname -r)" ]; then
      mount -t tmpfs modules $modules && cp -a /lib/modules/. $modules
    fi
    umount /tmp /dev/pts
    for folder in run sys proc dev; do mount -o move "/$folder" "/newroot/$folder"; done
    exec switch_root /newroot "$init"
  fi
  echo "polyvisor: no system to start on $root; here is a shell instead"
fi

if [ -d /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -i eth0 -b -S -t 3 -T 1 >/dev/null 2>&1
  address=$(ip -4 -o address show dev eth0 | sed -n 's/.* inet \\([0-9.]*\\).*/\\1/p')
  echo "polyvisor: eth0 has \${address:-no address}"
fi

[ -d /sys/bus/virtio/drivers/9pnet_virtio ] && modprobe -q 9p
for file in /sys/bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag; do
  [ -e "$file" ] || continue
  tag=$(tr -d '\\000' <"$file")
  folder=/mnt/$(echo "$tag" | tr -c 'A-Za-z0-9._\\n-' _)
  mkdir -p "$folder"
  if mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 "$tag" "$folder"; then
    echo "polyvisor: share $tag is at $folder"
  fi
done

# The command passes its terminal's size in the environment, because a serial line can't tell.
columns=\${COLUMNS:-80} rows=\${LINES:-24}
# stty believes them, too, and has status 0 when it knows nothing.
unset COLUMNS LINES
[ -n "$(stty size 2>/dev/null)" ] || stty cols "$columns" rows "$rows"
echo "polyvisor: $(uname -srm); 'poweroff' or 'exit' ends the machine"
cd /root
# BusyBox's poweroff, halt and reboot send these signals to process 1.
end() {
  sync
  umount -a -r 2>/dev/null
  $bb "$1" -f
}
trap 'end poweroff' USR2
trap 'end halt' USR1
trap 'end reboot' TERM
# Not with "&": programs of a shell in the background would be deaf to Ctrl-C. And not in the foreground: traps
# would run after its end only. So it is a daemon, and process 1 reads a pipe that ends when the shell does.
mkfifo /run/shell
start-stop-daemon -S -b -x /bin/sh -- -c 'exec 9>/run/shell; cd /root; setsid cttyhack sh -l 9>&-; :'
# A child's end interrupts the opening.
while :; do { read -r ended; end poweroff; } 2>/dev/null </run/shell; done
`;

export const UDHCPC_SCRIPT = `#!/bin/busybox sh
case "$1" in
  deconfig)
    ip -4 address flush dev "$interface"
    ip link set "$interface" up
    ;;
  bound | renew)
    ip -4 address replace "$ip/\${mask:-24}" dev "$interface"
    if [ -n "$router" ]; then
      for gateway in $router; do
        ip route replace default via "$gateway" dev "$interface" && break
      done
    fi
    {
      [ -n "$domain" ] && echo "search $domain"
      for server in $dns; do echo "nameserver $server"; done
    } >/etc/resolv.conf
    ;;
esac
`;

/** Small files of /etc, by path. */
export const ETC_FILES: Readonly<Record<string, string>> = {
  'etc/hostname': 'polyvisor\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 polyvisor\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
  'etc/resolv.conf': '',
  // mount tries these without being told; their modules are loaded on demand.
  'etc/filesystems': 'ext4\n',
  'etc/profile': "export PS1='polyvisor:\\w\\$ '\n",
};
