/**
 * A network as the network device needs it. Frames are Ethernet without FCS. An array handed over is only
 * valid during the call. Nothing is queued in between: each side refuses a frame that it has no room for and
 * says later when it has.
 *
 * Two things save work on long transfers and are off unless both sides can do them. A *partial checksum*: the
 * TCP or UDP checksum field holds the sum of the pseudo-header only. *Large segments*: a TCP segment
 * of up to 64 KiB, to be cut into `segmentBytes` of payload each if it leaves the machine; it always has a
 * partial checksum.
 */
export interface NetBackend {
  /** What {@link send} takes beyond plain frames. Default: nothing. */
  readonly offloads?: NetOffloads;
  /**
   * A frame from the guest.
   * @param partialChecksum whether the TCP or UDP checksum is yet to be completed.
   * @param segmentBytes 0, or payload per segment of a large one.
   * @returns false when there is no room: the frame is offered again after {@link onRoom}'s callback. Anything
   * else: it was taken, or dropped.
   */
  send(frame: Uint8Array, partialChecksum: boolean, segmentBytes: number): boolean | void;
  /** Registers who is told when {@link send} has room again. Needed where `send` gives false. */
  onRoom?(callback: () => void): void;
  /** Registers the receiver of frames for the guest; what it returns false for is to be offered again after {@link resume}. */
  onReceive(receive: ReceiveFrame): void;
  /** The guest has room again. */
  resume(): void;
  /** What the receiver takes now beyond plain frames; told whenever a driver has agreed or gone. */
  receiverOffloads?(offloads: NetOffloads): void;
  close(): void | Promise<void>;
}

/**
 * Takes a frame for the guest. A receiver without the offload completes a partial checksum itself, and
 * drops large segments.
 */
export type ReceiveFrame = (frame: Uint8Array, partialChecksum?: boolean, segmentBytes?: number) => boolean;

export interface NetOffloads {
  readonly partialChecksum: boolean;
  /** Needs `partialChecksum`. */
  readonly largeSegments: boolean;
}
