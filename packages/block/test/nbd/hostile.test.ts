import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PolyvisorError } from '@polyvisor/contracts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { get32, put16, put32, put64, putMagic } from '../../src/nbd/big-endian.ts';
import { ClientHandshake } from '../../src/nbd/client-handshake.ts';
import { HandshakeReader } from '../../src/nbd/handshake-reader.ts';
import { NbdNode } from '../../src/nbd/nbd-node.ts';
import {
  COMMAND,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  REPLY,
  REPLY_FLAG_DONE,
  REQUEST_MAGIC,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from '../../src/nbd/nbd-protocol.ts';
import { encodeGo, encodeMetaContextRequest, encodeOption } from '../../src/nbd/option-codec.ts';
import type { ServerSession } from '../../src/nbd/server-session.ts';
import { memoryPipe } from './memory-pipe.ts';
import type { PipeEnd } from './memory-pipe.ts';
import { exportOf, memoryConnector, serve } from './memory-server.ts';

const SIZE = 1 << 20;
/** Runs of each fuzzer; the nightly job sets more. */
const RUNS = Number(process.env['NBD_FUZZ_RUNS'] ?? 400);

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
process.on('unhandledRejection', note);
afterAll(() => {
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number): void => void (left === 0 ? resolve() : setImmediate(() => next(left - 1)));
    next(count);
  });
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function request(
  type: number,
  flags: number,
  offset: number,
  length: number,
  payload?: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(28 + (payload?.length ?? 0));
  put32(bytes, 0, REQUEST_MAGIC);
  put16(bytes, 4, flags);
  put16(bytes, 6, type);
  put32(bytes, 8, 0xabcdef01);
  put32(bytes, 12, type);
  put64(bytes, 16, offset);
  put32(bytes, 24, length);
  if (payload !== undefined) bytes.set(payload, 28);
  return bytes;
}

function greeting(): Uint8Array {
  return Uint8Array.of(0, 0, 0, 3);
}

/** All options and some of every command, valid. */
function wholeConversation(): Uint8Array {
  const contexts = { name: '', queries: ['base:allocation'] };
  return concat([
    greeting(),
    encodeOption(OPTION.list),
    encodeOption(OPTION.structuredReply),
    encodeOption(OPTION.listMetaContext, encodeMetaContextRequest({ name: '', queries: [] })),
    encodeOption(OPTION.setMetaContext, encodeMetaContextRequest(contexts)),
    encodeOption(OPTION.info, encodeGo({ name: '', requests: [0, 1, 2, 3] })),
    encodeOption(OPTION.go, encodeGo({ name: '', requests: [3] })),
    request(COMMAND.write, 1, 4096, 512, new Uint8Array(512).fill(9)),
    request(COMMAND.read, 0, 4000, 700),
    request(COMMAND.read, 0, 0, 200_000),
    request(COMMAND.writeZeroes, 2, 8192, 4096),
    request(COMMAND.trim, 0, 0, 65536),
    request(COMMAND.cache, 0, 0, 65536),
    request(COMMAND.blockStatus, 0, 0, SIZE),
    request(COMMAND.flush, 0, 0, 0),
    request(COMMAND.resize, 0, SIZE * 2, 0),
    request(COMMAND.disconnect, 0, 0, 0),
  ]);
}

interface Outcome {
  readonly answer: Uint8Array;
  readonly client: PipeEnd;
  readonly session: ServerSession | undefined;
}

/** Says something to a server, then hangs up; gives what it answered. */
async function say(bytes: Uint8Array, cut = 1 << 20): Promise<Outcome> {
  const [client, server] = memoryPipe((available) => Math.min(available, cut));
  const chunks: Uint8Array[] = [];
  client.handler = { data: (chunk) => void chunks.push(chunk), drained() {}, closed() {} };
  let session: ServerSession | undefined;
  const disk = new MemoryNode({ contents: new Uint8Array(SIZE).fill(5) });
  const served = serve(server, [exportOf(disk, { resizable: true })], (each) => (session = each));
  client.send(bytes);
  await turns(30);
  client.end();
  await served;
  return { answer: concat(chunks), client, session };
}

/** A conversation with some bytes, lengths and pieces changed. */
const mutations = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('byte' as const), at: fc.nat(), value: fc.nat(255) }),
    fc.record({
      kind: fc.constant('word' as const),
      at: fc.nat(),
      value: fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x2000001, 65537, 4097),
    }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.nat(40) }),
    fc.record({ kind: fc.constant('double' as const), at: fc.nat(), value: fc.nat(40) }),
  ),
  { minLength: 1, maxLength: 4 },
);

function mutate(
  bytes: Uint8Array,
  all: readonly { readonly kind: string; readonly at: number; readonly value: number }[],
): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (const { kind, at, value } of all) {
    const place = at % Math.max(1, result.length - 4);
    if (kind === 'byte') result[place] = value;
    else if (kind === 'word') put32(result, place, value);
    else if (kind === 'cut') result = concat([result.subarray(0, place), result.subarray(place + value)]);
    else result = concat([result.subarray(0, place + value), result.subarray(place)]);
  }
  return result;
}

describe('hostile NBD client', () => {
  test('the whole conversation is answered', async () => {
    for (const cut of [1 << 20, 1, 7, 29]) {
      const { session } = await say(wholeConversation(), cut);
      if (cut > 7) expect(session?.figures).toEqual({ requests: 9, errors: 0 });
    }
  });

  test('mutated conversations end in peace', async () => {
    const conversation = wholeConversation();
    await fc.assert(
      fc.asyncProperty(mutations, async (all) => {
        await say(mutate(conversation, all));
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('requests of any kind get one answer each, and leave memory alone', async () => {
    const opening = concat([
      greeting(),
      encodeOption(OPTION.structuredReply),
      encodeOption(OPTION.go, encodeGo({ name: '', requests: [] })),
    ]);
    const any = fc.record({
      type: fc.nat(12),
      flags: fc.oneof(fc.constant(0), fc.nat(65535)),
      offset: fc.constantFrom(0, 1, 511, 4096, SIZE - 1, SIZE, 2 ** 40, 2 ** 53 - 1, 2 ** 63),
      length: fc.constantFrom(0, 1, 512, 4096, 65536, SIZE, SIZE + 1, 2 ** 25 + 1, 0xffffffff),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 12 }), async (requests) => {
        const sane = requests.filter(({ type, length }) => type !== COMMAND.write || length <= 65536);
        const bytes = sane.map(({ type, flags, offset, length }) =>
          request(type, flags, offset, length, type === COMMAND.write ? new Uint8Array(length) : undefined),
        );
        const { answer } = await say(concat([opening, ...bytes]));
        const end = sane.findIndex(({ type }) => type === COMMAND.disconnect);
        expect(countAnswers(answer)).toBe(end < 0 ? sane.length : end);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('a payload that is too long ends the connection before memory is taken for it', async () => {
    const opening = concat([greeting(), encodeOption(OPTION.go, encodeGo({ name: '', requests: [] }))]);
    const { client } = await say(concat([opening, request(COMMAND.write, 0, 0, 0xffffffff)]));
    await turns(3);
    expect(client.isClosed).toBe(true);
  });
});

/** Walks over a server's bytes after the handshake: counts final replies. */
function countAnswers(answer: Uint8Array): number {
  // Greeting, then option replies.
  let at = 18;
  while (at + 20 <= answer.length && get32(answer, at) === 0x0003e889) at += 20 + get32(answer, at + 16);
  let count = 0;
  while (at < answer.length) {
    const magic = get32(answer, at);
    if (magic === SIMPLE_REPLY_MAGIC) {
      count++;
      at += 16;
    } else {
      expect(magic).toBe(STRUCTURED_REPLY_MAGIC);
      if ((answer[at + 5]! & REPLY_FLAG_DONE) !== 0) count++;
      at += 20 + get32(answer, at + 16);
    }
  }
  expect(at).toBe(answer.length);
  return count;
}

/** The bytes of a true server's side of a conversation. */
async function recordServer(): Promise<{ readonly handshake: Uint8Array }> {
  const chunks: Uint8Array[] = [];
  const connector = memoryConnector(
    () => exportOf(new MemoryNode({ contents: new Uint8Array(SIZE).fill(5) })),
    {
      onConnect: (_client, server) => {
        const send = server.send.bind(server);
        server.send = (bytes, sent) => {
          chunks.push(bytes.slice());
          send(bytes, sent);
        };
      },
    },
  );
  const node = await NbdNode.open(connector, { name: 'x', readOnly: false });
  const handshake = concat(chunks);
  await node.close();
  return { handshake };
}

/** A client that talks to a server which says these bytes, whatever it is asked: some at once, some to a request. */
async function listenTo(
  bytes: Uint8Array,
  replies: Uint8Array,
  body: (node: NbdNode) => Promise<unknown>,
): Promise<unknown> {
  const [client, server] = memoryPipe();
  let asked = false;
  server.handler = {
    data(chunk) {
      if (asked || get32(chunk, 0) !== REQUEST_MAGIC) return;
      asked = true;
      server.send(replies);
    },
    drained() {},
    closed() {},
  };
  server.send(bytes);
  // It hangs up in the end, or the client would wait.
  void turns(20).then(() => server.end());
  let connections = 0;
  try {
    const node = await NbdNode.open(
      async () => {
        if (connections++ > 0) throw new PolyvisorError('unavailable', { what: 'no second chance' });
        const reader = new HandshakeReader(client);
        const handshake = new ClientHandshake(client, reader, 'hostile');
        await handshake.begin('never');
        const info = await handshake.go({ exportName: '', tls: 'never', contexts: ['base:allocation'] });
        return { transport: client, reader, info };
      },
      { name: 'hostile', readOnly: false },
    );
    try {
      return await body(node);
    } finally {
      await node.close();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).name).toBe('PolyvisorError');
    return error;
  }
}

function chunk(flags: number, type: number, use: number, slot: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length);
  put32(bytes, 0, STRUCTURED_REPLY_MAGIC);
  put16(bytes, 4, flags);
  put16(bytes, 6, type);
  put32(bytes, 8, use);
  put32(bytes, 12, slot);
  put32(bytes, 16, payload.length);
  bytes.set(payload, 20);
  return bytes;
}

function data(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8 + length).fill(1);
  put64(bytes, 0, offset);
  return bytes;
}

function hole(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  put64(bytes, 0, offset);
  put32(bytes, 8, length);
  return bytes;
}

describe('hostile NBD server', () => {
  test('mutated handshakes are taken or refused', async () => {
    const { handshake } = await recordServer();
    await fc.assert(
      fc.asyncProperty(mutations, async (all) => {
        await listenTo(mutate(handshake, all), new Uint8Array(9), (node) =>
          node.read(0, new Uint8Array(512)),
        );
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test.each<[string, readonly Uint8Array[]]>([
    ['another request', [chunk(1, REPLY.offsetData, 1, 7, data(0, 1024))]],
    ['an earlier use of the slot', [chunk(1, REPLY.offsetData, 0, 0, data(0, 1024))]],
    ['too little', [chunk(1, REPLY.offsetData, 1, 0, data(0, 1023))]],
    ['nothing', [chunk(1, REPLY.none, 1, 0, new Uint8Array(0))]],
    ['too much', [chunk(1, REPLY.offsetData, 1, 0, data(0, 1025))]],
    ['bytes before', [chunk(1, REPLY.offsetData, 1, 0, data(2 ** 52, 1024))]],
    ['a hole beyond', [chunk(1, REPLY.offsetHole, 1, 0, hole(512, 0xffffffff))]],
    ['no hole', [chunk(1, REPLY.offsetHole, 1, 0, hole(0, 0))]],
    [
      'the same twice',
      [chunk(0, REPLY.offsetData, 1, 0, data(0, 512)), chunk(1, REPLY.offsetHole, 1, 0, hole(0, 512))],
    ],
    [
      'overlapping pieces out of order',
      [
        chunk(0, REPLY.offsetData, 1, 0, data(512, 512)),
        chunk(0, REPLY.offsetData, 1, 0, data(0, 256)),
        chunk(1, REPLY.offsetData, 1, 0, data(100, 256)),
      ],
    ],
    ['status', [chunk(1, REPLY.blockStatus, 1, 0, new Uint8Array(12).fill(1))]],
    ['a chunk of 4 GiB', [chunk(1, 77, 1, 0, new Uint8Array(0)).fill(255, 16, 20)]],
    ['an error longer than its chunk', [chunk(1, REPLY.error, 1, 0, Uint8Array.of(0, 0, 0, 5, 9, 9))]],
    ['rubbish', [new Uint8Array(100).fill(0x41)]],
  ])('a read answered with %s breaks the connection', async (_name, chunks) => {
    const { handshake } = await recordServer();
    const error = await listenTo(handshake, concat(chunks), async (node) => {
      await node.read(0, new Uint8Array(1024));
    });
    expect(error).toMatchObject({ code: 'corrupt' });
  });

  test('chunks may come in any order', async () => {
    const { handshake } = await recordServer();
    const chunks = [
      chunk(0, REPLY.offsetData, 1, 0, data(512, 512)),
      chunk(0, REPLY.offsetHole, 1, 0, hole(0, 256)),
      chunk(1, REPLY.offsetData, 1, 0, data(256, 256)),
    ];
    const bytes = new Uint8Array(1024).fill(9);
    await listenTo(handshake, concat(chunks), (node) => node.read(0, bytes));
    expect([bytes[0], bytes[255], bytes[256], bytes[1023]]).toEqual([0, 0, 1, 1]);
  });

  test('random replies neither hang nor throw elsewhere', async () => {
    const { handshake } = await recordServer();
    const replies = fc.array(
      fc.record({
        flags: fc.nat(1),
        type: fc.constantFrom(...Object.values(REPLY), 6, 0x8003),
        slot: fc.nat(3),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constant(data(0, 512)),
          fc.constant(hole(0, 512)),
        ),
      }),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(replies, async (all) => {
        const bytes = all.map(({ flags, type, slot, payload }) => chunk(flags, type, 1, slot, payload));
        await listenTo(handshake, concat(bytes), (node) =>
          Promise.all([
            node.read(0, new Uint8Array(512)),
            node.write(0, new Uint8Array(512)),
            node.map(0, 4096),
            node.flush(),
          ]),
        );
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});

describe('NBD negotiation', () => {
  /** What a server must answer, by the protocol's own words. */
  const option = fc.record({
    option: fc.constantFrom(...Object.values(OPTION), 4, 11, 99),
    data: fc.constantFrom(
      new Uint8Array(0),
      encodeGo({ name: '', requests: [3] }),
      encodeGo({ name: 'unknown', requests: [] }),
      encodeMetaContextRequest({ name: '', queries: ['base:allocation'] }),
      encodeMetaContextRequest({ name: '', queries: ['base:', 'x-other:y'] }),
      new Uint8Array(70_000),
      Uint8Array.of(1, 2, 3),
    ),
  });

  test('each option has one final reply, of a type that it may have', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(option, { maxLength: 10 }), async (options) => {
        const [client, server] = memoryPipe();
        const served = serve(server, [exportOf(new MemoryNode({ size: SIZE }))]);
        const reader = new HandshakeReader(client);
        await reader.take(18);
        await reader.send(greeting());
        let structured = false;
        for (const { option: code, data: bytes } of options) {
          // These two end the negotiation without a reply, or with one of another form.
          if (code === OPTION.exportName) continue;
          await reader.send(encodeOption(code, bytes));
          const types: number[] = [];
          let final = 0;
          while (final === 0) {
            const header = await reader.take(20);
            expect([get32(header, 0), get32(header, 8)]).toEqual([0x0003e889, code]);
            const type = get32(header, 12);
            await reader.take(get32(header, 16));
            types.push(type);
            if (type === OPTION_REPLY.ack || type >= 0x80000000) final = type;
          }
          const known = (Object.values(OPTION) as number[]).includes(code);
          if (code === OPTION.abort) {
            if (bytes.length <= 65536) expect(final).toBe(OPTION_REPLY.ack);
            if (final === OPTION_REPLY.ack) break;
          } else if (!known)
            expect(final).toBe(bytes.length > 65536 ? OPTION_REPLY.tooBig : OPTION_REPLY.unsupported);
          else if (bytes.length > 65536) expect(final).toBe(OPTION_REPLY.tooBig);
          else if (code === OPTION.startTls)
            expect([OPTION_REPLY.policy, OPTION_REPLY.invalid]).toContain(final);
          else if (code === OPTION.structuredReply && bytes.length === 0) structured = true;
          else if (code === OPTION.setMetaContext && !structured) expect(final).toBe(OPTION_REPLY.invalid);
          if (final === OPTION_REPLY.ack && (code === OPTION.go || code === OPTION.info)) {
            expect(types.slice(0, -1)).toEqual([OPTION_REPLY.info, OPTION_REPLY.info]);
          }
          if (final === OPTION_REPLY.ack && code === OPTION.go) break;
        }
        client.destroy();
        await served;
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test.each([
    ['unknown flags', Uint8Array.of(0, 0, 0, 7)],
    ['wrong magic', concat([greeting(), new Uint8Array(16)])],
    ['an option of 4 GiB', concat([greeting(), optionOfLength(0xffffffff)])],
    ['a name that is not there', concat([greeting(), encodeOption(OPTION.exportName, Uint8Array.of(65))])],
  ])('%s end the connection', async (_name, bytes) => {
    const { answer, client } = await say(bytes);
    expect([answer.length, client.isClosed]).toEqual([18, true]);
  });

  function optionOfLength(length: number): Uint8Array {
    const bytes = new Uint8Array(16);
    putMagic(bytes, 0, OPTION_MAGIC);
    put32(bytes, 8, OPTION.list);
    put32(bytes, 12, length);
    return bytes;
  }
});
