import { describeDevice } from '@polyvisor/testkit/device-compliance/device-compliance';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { describeVirtioDevice } from '@polyvisor/testkit/device-compliance/virtio-compliance';
import { virtioModels } from '@polyvisor/testkit/device-compliance/virtio-models';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { createEmptyVirtioSlot } from './mmio/empty-slot.ts';
import { createVirtioMmio } from './mmio/virtio-mmio.ts';

for (const [name, model] of Object.entries(virtioModels)) {
  const create = (memory: FakeMemory) => {
    const { backend, stir } = model(memory);
    const device = createVirtioMmio({ name, packed: true }, { backend, memory, line: new FakeLine() });
    return stir === undefined ? { device } : { device, stir };
  };
  describeDevice(`virtio-${name}`, () => {
    const memory = new FakeMemory(1 << 16);
    return { ...create(memory), memory };
  });
  const queues = model(new FakeMemory()).backend.queueSizes.length;
  describeVirtioDevice(`virtio-${name}`, { queues }, create);
}

describeDevice('empty virtio slot', () => ({ device: createEmptyVirtioSlot({ name: 'virtio7' }) }));
