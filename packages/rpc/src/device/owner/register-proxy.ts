import type { DirectAccess, InterruptLine, MmioDevice, StateSection } from '@polyvisor/contracts';
import type { AttachResponse, RegisterDescription } from '@polyvisor/proto/service/device';
import type { DirectHandle } from '../shared/direct-registers.ts';
import { syncLine } from '../shared/direct-registers.ts';
import type { GroupLink, RemoteDevice } from './group-link.ts';
import { sectionOf } from './group-link.ts';
import { RemoteState } from './remote-state.ts';
import type { SharedRings } from './walking-proxy.ts';

/** A device with registers that is elsewhere. */
export interface RegisterProxy extends MmioDevice, RemoteDevice {
  readLater(offset: number, width: number): Promise<number>;
  writeLater(offset: number, width: number, value: number): Promise<void>;
  lineChanged(): void;
  setRoute(open: boolean): void;
}

/** An access that may have to be done again by a device host that takes over. */
interface Access {
  readonly request: number;
  readonly offset: number;
  readonly width: number;
  readonly write: boolean;
  readonly value: number;
  /** Absent: posted. */
  readonly settle?: (value: number) => void;
}

/** Posted writes that no answer has confirmed yet. One more waits for its answer. */
const POSTED_LIMIT = 64;

/** Makes the proxy of device number `index` of a group. Its one window and one interrupt line are number 0. */
export function createRegisterProxy(
  index: number,
  name: string,
  description: RegisterDescription,
  link: GroupLink,
  line: InterruptLine,
  rings?: SharedRings & { readonly pipe: number },
): RegisterProxy {
  return new Proxy(index, name, description, link, line, rings);
}

class Proxy implements RegisterProxy {
  readonly name: string;
  readonly size: number;
  readonly #index: number;
  readonly #link: GroupLink;
  readonly #line: InterruptLine;
  readonly #state: RemoteState;
  readonly #posted: ReadonlySet<number>;
  /** In order; what a record or an answer shows to be done is dropped. */
  #accesses: Access[] = [];
  readonly direct: DirectAccess | undefined;
  readonly #words: Int32Array | undefined;
  /** 1 while vCPU threads may reach the device by themselves. */
  readonly #route = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  #unconfirmed = 0;
  #request = 0;

  constructor(
    index: number,
    name: string,
    description: RegisterDescription,
    link: GroupLink,
    line: InterruptLine,
    rings: (SharedRings & { readonly pipe: number }) | undefined,
  ) {
    const [window] = description.windows;
    this.#index = index;
    this.name = name;
    this.size = window?.size ?? 0;
    this.#posted = new Set(window?.posted.flatMap((offset) => [0, 1, 2, 3].map((byte) => offset + byte)));
    this.#link = link;
    this.#line = line;
    this.#state = new RemoteState(index, name, link, () => {});
    this.#words = rings?.words;
    if (rings !== undefined) {
      const handle: DirectHandle = {
        words: rings.words,
        pipe: rings.pipe,
        device: index,
        route: this.#route,
      };
      this.direct = { module: new URL('../shared/direct-registers.ts', import.meta.url).href, handle };
    }
  }

  /** The device host says that the level of the line has changed. */
  lineChanged(): void {
    if (this.#words !== undefined) syncLine(this.#words, this.#index, this.#line);
  }

  /** vCPU threads may reach the device by themselves, or not (any more). */
  setRoute(open: boolean): void {
    Atomics.store(this.#route, 0, open ? 1 : 0);
  }

  get inFlight(): number {
    return this.#accesses.length;
  }

  read(): number {
    // The bus uses readLater.
    return 0;
  }

  posted(offset: number): boolean {
    return this.#posted.has(offset);
  }

  readLater(offset: number, width: number): Promise<number> {
    return new Promise((settle) => this.#access({ offset, width, write: false, value: 0, settle }));
  }

  writeLater(offset: number, width: number, value: number): Promise<void> {
    return new Promise((resolve) =>
      this.#access({ offset, width, write: true, value, settle: () => resolve() }),
    );
  }

  write(offset: number, width: number, value: number): void {
    this.#unconfirmed++;
    const access = { offset, width, write: true, value };
    // Now and then an answer, so that what has to be remembered stays little.
    this.#access(this.#unconfirmed >= POSTED_LIMIT ? { ...access, settle: () => {} } : access);
  }

  #access(access: Omit<Access, 'request'>): void {
    this.#request = (this.#request + 1) >>> 0;
    const numbered = { ...access, request: this.#request };
    if (access.settle !== undefined) this.#unconfirmed = 0;
    this.#accesses.push(numbered);
    this.#send(numbered);
  }

  #send({ request, offset, width, write, value, settle }: Access): void {
    const reply = settle !== undefined;
    this.#link.send({
      case: 'access',
      value: { device: this.#index, window: 0, offset, width, write, value: value >>> 0, request, reply },
    });
  }

  receive(message: AttachResponse['message']): void {
    switch (message.case) {
      case 'reply': {
        const { request, value } = message.value;
        const access = this.#accesses.find((each) => each.request === request);
        this.#confirmed(request);
        if (access?.settle === undefined) this.#link.broken('reply that nobody waits for');
        else access.settle((value & maskOf(access.width)) >>> 0);
        break;
      }
      case 'interrupt':
        if (message.value.pin === 0 && message.value.kind.case === 'level')
          this.#line.set(message.value.kind.value);
        else this.#link.broken('interrupt of another kind');
        break;
      case 'record':
        if (message.value.section === undefined) break;
        this.#state.record(sectionOf(message.value.section));
        // Accesses that wait stay until their answer is here.
        this.#accesses = this.#accesses.filter(
          ({ request, settle }) => settle !== undefined || after(request, message.value.after),
        );
        break;
      default:
        this.#link.broken(`${message.case} for a device with registers`);
    }
  }

  #confirmed(request: number): void {
    this.#accesses = this.#accesses.filter((each) => after(each.request, request));
  }

  restore(): void {
    this.#state.restore();
    for (const access of this.#accesses) this.#send(access);
    this.#state.restoreQuiesce();
  }

  drained(): void {}

  reset(): void {
    // vCPUs stand still, or wait for an answer that still comes.
    this.#state.forget();
    this.#link.send({ case: 'reset', value: { device: this.#index, powerOn: true } });
  }

  save(): StateSection {
    return this.#state.save();
  }

  load(section: StateSection): void {
    this.#state.load(section);
  }

  quiesce(): Promise<void> {
    return this.#state.quiesce();
  }

  resume(): void {
    this.#state.resume();
  }

  close(): Promise<void> {
    this.setRoute(false);
    this.#line.set(false);
    return Promise.resolve();
  }
}

/** Whether number `a` comes after `b`; numbers wrap. */
function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

function maskOf(width: number): number {
  return width === 4 ? -1 : 2 ** (8 * width) - 1;
}
