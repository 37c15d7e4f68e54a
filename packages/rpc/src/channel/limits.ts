import type { ChannelOptions } from '@grpc/grpc-js';

/** Bytes of one message, either way. */
export const messageLimit = 4 << 20;
/** Calls under way on one connection. */
export const streamLimit = 128;
/** Connections to one listener. */
export const connectionLimit = 256;
/** A connection that hasn't said its first words by then is closed. */
export const greetingLimitMs = 5_000;
/** Characters of an error's message that travel. */
export const errorMessageLimit = 1024;

/**
 * What both sides tell gRPC. Flow control windows hold a few of the biggest messages, as with gRPC's own 64 KiB every
 * one of them waits for several round trips.
 */
export const commonOptions: ChannelOptions = {
  'grpc.max_send_message_length': messageLimit,
  'grpc.max_receive_message_length': messageLimit,
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_channelz': 0,
  'grpc-node.flow_control_window': messageLimit,
};
