import { MessageReader } from './message-reader.ts';
import { messageWriter } from './message-writer.ts';
import type { MessageWriter } from './message-writer.ts';

/** Encodes and decodes one kind of message of the services. */
export interface MessageCodec<T, Input> {
  /** Full name: `polyvisor.block.v1.Operation`. */
  readonly name: string;
  /**
   * Fields left out or undefined take their default and aren't written. In Node the result is a Buffer.
   * @throws PolyvisorError `invalid-argument` for a number that doesn't fit its field.
   */
  encode(message: Input): Uint8Array<ArrayBuffer>;
  /**
   * Everything is set: absent fields have their default, absent `optional` ones and messages are undefined. Bytes are
   * views into `bytes`. Unknown fields are skipped, unknown values of enums are `unspecified` (the first).
   * @throws PolyvisorError `corrupt` for malformed input: lengths beyond the end, numbers beyond their field, text that
   * is no UTF-8, more than 2^18 elements.
   */
  decode(bytes: Uint8Array): T;
}

/** Makes a codec of what tools/generate-service wrote for a message. */
export function defineMessage<T, Input>(
  name: string,
  read: (reader: MessageReader) => T,
  size: (message: Input, writer: MessageWriter) => number,
  write: (message: Input, writer: MessageWriter) => void,
): MessageCodec<T, Input> {
  return {
    name,
    encode(message) {
      messageWriter.start();
      messageWriter.begin(size(message, messageWriter));
      write(message, messageWriter);
      return messageWriter.finish();
    },
    decode(bytes) {
      return read(new MessageReader(bytes));
    },
  };
}
