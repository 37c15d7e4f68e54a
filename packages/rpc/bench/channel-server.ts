// The server of bench/channel.ts, in a process of its own: the same echo on the channel and on bare gRPC.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { blockService } from '@polyvisor/proto/service/block';
import { createServer, serve } from '../src/channel/index.ts';
import type { Handlers } from '../src/channel/index.ts';
import { commonOptions } from '../src/channel/limits.ts';

const [folder = ''] = process.argv.slice(2);
const refuse = Object.fromEntries(Object.keys(blockService).map((name) => [name, () => ({})]));
await createServer({
  listen: [`unix:${folder}/channel.sock`],
  services: [
    serve(blockService, {
      ...(refuse as unknown as Handlers<typeof blockService>),
      attach: (stream) => {
        stream.onMessage(({ message }) => {
          if (message.case !== 'operations') return;
          const [operation] = message.value.operations;
          if (operation === undefined) return;
          const { id, data, fua } = operation;
          // `fua`: an echo; else the data is only counted, and the last one is answered.
          if (fua || id === 0)
            stream.send({
              message: { case: 'results', value: { results: [{ id, data: fua ? data : undefined }] } },
            });
        });
      },
    }),
  ],
  identity: { anonymous: 'devices' },
});

const bytes = (value: Buffer): Buffer => value;
const bare = new Server(commonOptions);
const echo = (call: ServerDuplexStream<Buffer, Buffer>): void => {
  call.on('data', (data: Buffer) => {
    if (data[0] === 1) call.write(data);
    else if (data[0] === 2) call.write(Buffer.of(2));
  });
  call.on('end', () => call.end());
  call.on('error', () => {});
};
bare.register('/bench/Echo', echo, bytes, bytes, 'bidi');
bare.bindAsync(`unix:${folder}/bare.sock`, ServerCredentials.createInsecure(), () => process.send?.('ready'));
