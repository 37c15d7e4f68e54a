import { PolyvisorError } from '@polyvisor/contracts';
import { health as healthMethods } from '@polyvisor/proto/service/health';
import type { HealthCheckResponseServingStatus } from '@polyvisor/proto/service/health';
import type { ServedService } from './handlers.ts';
import { serve } from './handlers.ts';
import { withStatus } from './status.ts';

/** Whether services can be used, as gRPC's health checking tells it. */
export interface Health {
  readonly service: ServedService;
  /** `service`: its full name, or empty for all of them together. */
  set(service: string, status: 'serving' | 'not-serving'): void;
}

/** Everything serves at first. Source: gRPC's health checking protocol. */
export function createHealth(services: Iterable<string>): Health {
  const states = new Map<string, HealthCheckResponseServingStatus>([['', 'serving']]);
  for (const name of services) states.set(name, 'serving');
  const watchers = new Map<string, Set<() => void>>();
  const service = serve(healthMethods, {
    check: ({ service: name }) => {
      const status = states.get(name);
      if (status !== undefined) return { status };
      throw withStatus(
        new PolyvisorError('not-found', { what: 'no such service', which: name }),
        'NOT_FOUND',
      );
    },
    watch: ({ service: name }, stream) => {
      const tell = (): void => {
        stream.send({ status: states.get(name) ?? 'service-unknown' });
      };
      const known = watchers.get(name) ?? new Set();
      watchers.set(name, known.add(tell));
      void stream.closed.then(() => {
        known.delete(tell);
        if (known.size === 0) watchers.delete(name);
      });
      tell();
    },
  });
  return {
    service,
    set: (name, status) => {
      if (states.get(name) === status) return;
      states.set(name, status);
      for (const tell of watchers.get(name) ?? []) tell();
    },
  };
}
