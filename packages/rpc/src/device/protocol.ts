/** Version of `device.v1` that this side speaks. */
export const DEVICE_PROTOCOL_VERSION = 1;

/** A side with nothing to say says it this often, so that the other knows it is there. */
export const PING_MS = 500;
/** A peer that has said nothing for so long is taken to be away: what waits for it should not see time pass. */
export const AWAY_MS = 1500;
/** ... and after this long the stream is given up. */
export const SILENCE_MS = 10_000;

/** Bytes of queue elements that an owner may have under way at a device host, for all devices of a group. */
export const WINDOW_BYTES = 64 << 20;
/** Elements under way, for one queue: its greatest size. */
export const QUEUE_SIZE_LIMIT = 32_768;
/** A queue element that travels in a message; what exceeds it breaks the queue. gRPC messages hold 4 MiB. */
export const ELEMENT_BYTES_LIMIT = (4 << 20) - (64 << 10);
/** Elements of one message hold at most about this much. */
export const BATCH_BYTES = 512 << 10;
/** Devices of a group. */
export const DEVICES_LIMIT = 64;
