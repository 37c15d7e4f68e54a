import { expect, test } from '@jest/globals';
import { createProcessMetrics } from '../process/process-metrics.ts';
import { mergeMetrics } from './merge-metrics.ts';

test('figures of several processes stand together by name', async () => {
  const texts = await Promise.all(
    ['cpu', 'devices'].map((role) => {
      const metrics = createProcessMetrics({ role, vm: 'web' }, () => ({ instructions: 7 }));
      metrics.counter({ name: 'calls_total', help: 'Calls', labels: { method: 'a' } }).add(2);
      metrics.counter({ name: 'calls_total', help: 'Calls', labels: { method: 'b' } }).add();
      metrics.gauge({ name: 'depth', help: 'Depth', read: () => 3 });
      metrics.histogram({ name: 'seconds', help: 'Time', buckets: [1, 2] }).observe(1.5);
      return metrics.text();
    }),
  );
  const merged = mergeMetrics(texts);
  expect(merged.match(/^# TYPE calls_total counter$/gm)).toHaveLength(1);
  expect(merged).toContain('calls_total{method="a",role="devices",vm="web"} 2');
  expect(merged).toContain('depth{role="cpu",vm="web"} 3');
  expect(merged).toContain('seconds_bucket{le="2",role="cpu",vm="web"} 1');
  expect(merged).toContain('polyvisor_figure{figure="instructions",role="cpu",vm="web"} 7');
  const names = merged.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  expect(new Set(names).size).toBe(names.length);
});
