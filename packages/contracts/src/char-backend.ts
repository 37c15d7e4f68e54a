/**
 * The host's end of a character device (serial port, console port): where the guest's bytes go to and
 * where the bytes for the guest come from. Bytes are never dropped: either side can hold the other back.
 */
export interface CharBackend {
  /** Bytes from the guest. The array is only valid during the call. */
  write(bytes: Uint8Array): void;
  /** Registers the receiver of bytes for the guest; it returns how many it took, and calls {@link resume} once it can take more. */
  onInput(receive: (bytes: Uint8Array) => number): void;
  /** The guest can take input again. */
  resume(): void;
  /** How many bytes {@link write} takes now without queueing beyond its own limit. Absent: always enough. */
  room?(): number;
  /** Registers who is told when {@link room} has grown again after it was too small. Needed where `room` is. */
  onRoom?(callback: () => void): void;
  close(): void;
}
