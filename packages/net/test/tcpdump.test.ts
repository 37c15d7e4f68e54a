import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { spawnSync } from 'node:child_process';
import { arpRequest, DNS_IP, GATEWAY_IP, ipFrame, tcpFrame, udpFrame } from './frames.ts';
import { testNetwork } from './network.ts';

const OUTSIDE = [198, 51, 100, 7];

/** A capture file (pcap, microseconds, Ethernet) of `frames`. */
function capture(frames: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_549, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, Buffer.from(frame)];
  });
  return Buffer.concat([header, ...records]);
}

function discover(type: number): number[] {
  const bytes = new Array<number>(300).fill(0);
  bytes.splice(0, 3, 1, 1, 6);
  bytes.splice(28, 6, 0x52, 0x54, 0, 0x12, 0x34, 0x56);
  bytes.splice(236, 14, 0x63, 0x82, 0x53, 0x63, 53, 1, type, 50, 4, 10, 0, 2, 15, 255);
  return bytes;
}

describeWith({ programs: ['tcpdump'] }, 'as tcpdump reads it', () => {
  test('every frame to the guest is right', () => {
    const { network, frames, settle, sockets } = testNetwork({}, false);
    network.send(arpRequest(GATEWAY_IP));
    const boot = { source: [0, 0, 0, 0] };
    network.send(udpFrame([255, 255, 255, 255], 68, 67, discover(1), boot));
    network.send(udpFrame([255, 255, 255, 255], 68, 67, discover(3), boot));
    network.send(ipFrame(1, GATEWAY_IP, [8, 0, 0xf7, 0xf6, 0, 1, 0, 8]));
    network.send(ipFrame(1, OUTSIDE, [8, 0, 0xf7, 0xf6, 0, 1, 0, 8]));
    const query = [9, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1];
    network.send(udpFrame(DNS_IP, 5353, 53, query));
    const asked = sockets.sent[0]!.bytes;
    asked[2]! |= 0x80;
    sockets.udp[0]!.receive(asked, '192.0.2.53', 53);
    network.send(udpFrame(OUTSIDE, 1000, 2000, [1]));
    sockets.udp[1]!.receive(new Uint8Array(4000).fill(5), '198.51.100.7', 2000);
    const fields = { sourcePort: 40_000, destinationPort: 80, window: 65_535 };
    const options = [2, 4, 5, 180, 1, 3, 3, 7];
    network.send(tcpFrame(OUTSIDE, { ...fields, sequence: 1000, acknowledgment: 0, flags: 2, options }));
    settle();
    const synAck = frames.at(-1)!;
    const base = new DataView(synAck.buffer).getUint32(38) + 1;
    network.send(tcpFrame(OUTSIDE, { ...fields, sequence: 1001, acknowledgment: base, flags: 16 }));
    sockets.connections[0]!.send(new Uint8Array(3001).fill(65));
    sockets.connections[0]!.end();
    settle();
    network.send(
      tcpFrame(OUTSIDE, { ...fields, destinationPort: 81, sequence: 5, acknowledgment: 6, flags: 16 }),
    );
    settle();
    const { status, stdout, stderr } = spawnSync('tcpdump', ['-nn', '-vvv', '-e', '-r', '-'], {
      input: capture(frames),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, expect.stringContaining('EN10MB')]);
    expect(stdout).not.toMatch(/incorrect|bad |wrong|\[\||truncated|malformed/i);
    const wanted = [
      'Reply 10.0.2.2 is-at 52:55:0a:00:02:02',
      'DHCP-Message (53), length 1: Offer',
      'DHCP-Message (53), length 1: ACK',
      'Default-Gateway (3), length 4: 10.0.2.2',
      'Domain-Name-Server (6), length 4: 10.0.2.3',
      'Lease-Time (51), length 4: 86400',
      'ICMP echo reply, id 1, seq 8, length 8',
      'ICMP host 198.51.100.7 unreachable',
      '10.0.2.3.53 > 10.0.2.15.5353: [udp sum ok]',
      '198.51.100.7.2000 > 10.0.2.15.1000: UDP, length 4000',
      'Flags [S.]',
      'options [mss 1460,nop,wscale 5]',
      'Flags [FP.]',
      'Flags [R]',
    ];
    expect(wanted.filter((line) => !stdout.includes(line))).toEqual([]);
    expect(frames).toHaveLength(14);
  });
});
