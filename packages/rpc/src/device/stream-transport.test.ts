import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import { AttachRequest, AttachResponse } from '@polyvisor/proto/service/device';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { describeVirtioDevice } from '@polyvisor/testkit/device-compliance/virtio-compliance';
import { virtioModels } from '@polyvisor/testkit/device-compliance/virtio-models';
import { messagePipe } from '@polyvisor/testkit/message-pipe';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { createVirtioMmio } from '@polyvisor/virtio';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import { attachDeviceGroup, createDeviceHost } from './index.ts';
import type { DeviceHost, HostStream, OwnerStream } from './index.ts';

function pipeTo(host: DeviceHost): OwnerStream {
  const pipe = messagePipe(AttachRequest, AttachResponse);
  void host.attach(pipe.b as HostStream);
  return pipe.a as OwnerStream;
}

const options = {
  vm: 'test',
  clock: createSharedClock(createClockHandle('wall')),
  line: () => new FakeLine(),
  logger: silentLogger,
};

for (const [name, model] of Object.entries(virtioModels)) {
  // A balloon lives with the memory.
  if (name === 'balloon') continue;
  const queues = model(new FakeMemory()).backend.queueSizes.length;
  describeVirtioDevice(`virtio-${name} in messages`, { queues }, async (memory) => {
    const host = createDeviceHost({ vm: 'test', logger: silentLogger });
    const { backend, stir } = model(memory);
    host.add({ kind: 'virtio', name: 'device0', backend });
    const group = await attachDeviceGroup(pipeTo(host), 1, options);
    const [proxy] = group.devices;
    if (proxy?.kind !== 'virtio') throw new Error('no virtio device');
    const line = new FakeLine();
    const device = createVirtioMmio({ name, packed: true }, { backend: proxy.backend, memory, line });
    return stir === undefined ? { device } : { device, stir };
  });
}

describe('attachments', () => {
  test('epochs only grow', async () => {
    const host = createDeviceHost({ vm: 'test', logger: silentLogger });
    const group = await attachDeviceGroup(pipeTo(host), 5, options);
    await expect(group.attach(pipeTo(host), 5)).rejects.toThrow(/epoch/);
    await group.attach(pipeTo(host), 6);
    expect([host.epoch, host.attached, group.status.kind]).toEqual([6, true, 'attached']);
    const late = messagePipe(AttachRequest, AttachResponse);
    void host.attach(late.b as HostStream);
    late.a.send({ message: { case: 'hello', value: { version: 1, vm: 'test', epoch: 6 } } });
    expect((await late.a.closed)?.message).toMatch(/another owner/);
    group.close();
    await host.close();
  });
});
