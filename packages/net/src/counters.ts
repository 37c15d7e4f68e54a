/** What the network has counted since it was made. Frames and bytes include the Ethernet header. */
export interface UserNetworkStats {
  /** From the guest. */
  framesIn: number;
  bytesIn: number;
  /** To the guest. */
  framesOut: number;
  bytesOut: number;
  /** From the guest, not understood: too short, VLAN-tagged, wrong lengths or checksums. */
  malformed: number;
  /** From the guest, understood but not for us: other stations, other protocols (IPv6 among them). */
  ignored: number;
  /** Source address outside the guest's network, or one of ours. */
  badSource: number;
  /** Packets to places that the policy forbids. */
  denied: number;
  /** Frames for the guest that found it without buffers for too long, or without a known MAC address. */
  framesOutDropped: number;
  fragmentsDropped: number;
  datagramsReassembled: number;
  tcpFlows: number;
  tcpOpened: number;
  /** Connections refused because a table was full. */
  tcpRefused: number;
  tcpRetransmits: number;
  tcpResets: number;
  udpFlows: number;
  udpDropped: number;
  dhcpAcks: number;
  dhcpIgnored: number;
  dnsQueries: number;
  dnsFallbacks: number;
  dnsDropped: number;
  forwardedConnections: number;
  /** Bytes of TCP data now held for either side. */
  tcpBufferedBytes: number;
}

export function createCounters(): UserNetworkStats {
  return {
    framesIn: 0,
    bytesIn: 0,
    framesOut: 0,
    bytesOut: 0,
    malformed: 0,
    ignored: 0,
    badSource: 0,
    denied: 0,
    framesOutDropped: 0,
    fragmentsDropped: 0,
    datagramsReassembled: 0,
    tcpFlows: 0,
    tcpOpened: 0,
    tcpRefused: 0,
    tcpRetransmits: 0,
    tcpResets: 0,
    udpFlows: 0,
    udpDropped: 0,
    dhcpAcks: 0,
    dhcpIgnored: 0,
    dnsQueries: 0,
    dnsFallbacks: 0,
    dnsDropped: 0,
    forwardedConnections: 0,
    tcpBufferedBytes: 0,
  };
}
