import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Done } from '@polyvisor/proto/service/device';
import type { GroupLink } from './group-link.ts';
import { errorOf, sectionOf } from './group-link.ts';

/**
 * Quiesce, save, load and resume of a device elsewhere, over the time that its device host may be away. Saving is
 * part of quiescing; whether a load succeeded comes out of the quiesce behind it.
 */
export class RemoteState {
  readonly #device: number;
  readonly #name: string;
  readonly #link: GroupLink;
  readonly #onQuiesced: (done: Done) => void;
  /** What the device host knows it to be, as of the last record, load or quiesce; undefined: power-on state. */
  #section: StateSection | undefined;
  #quiescing: Promise<void> | undefined;
  /** Asks again, if the device host has died in between. */
  #repeat: (() => void) | undefined;
  #failure: PolyvisorError | undefined;
  quiesced = false;

  /** @param onQuiesced called before a quiesce resolves. */
  constructor(device: number, name: string, link: GroupLink, onQuiesced: (done: Done) => void) {
    this.#device = device;
    this.#name = name;
    this.#link = link;
    this.#onQuiesced = onQuiesced;
  }

  record(section: StateSection): void {
    this.#section = section;
  }

  forget(): void {
    this.#section = undefined;
  }

  quiesce(): Promise<void> {
    this.quiesced = true;
    this.#quiescing ??= new Promise<void>((resolve, reject) => {
      const ask = (): void => {
        const request = this.#link.ask(this.#device, (done) => {
          this.#repeat = undefined;
          this.#quiescing = undefined;
          if (done.section !== undefined) this.#section = sectionOf(done.section);
          this.#onQuiesced(done);
          const failure = this.#failure ?? (done.failure === undefined ? undefined : errorOf(done.failure));
          this.#failure = undefined;
          if (failure === undefined) resolve();
          else reject(failure);
        });
        this.#link.send({ case: 'quiesce', value: { device: this.#device, request } });
      };
      this.#repeat = ask;
      ask();
    });
    return this.#quiescing;
  }

  resume(): void {
    if (!this.quiesced) return;
    this.quiesced = false;
    this.#link.send({ case: 'resume', value: { device: this.#device } });
  }

  /** While quiesced. */
  save(): StateSection {
    if (this.#section !== undefined) return this.#section;
    throw new PolyvisorError('internal', {
      what: 'device was not quiesced before it was saved',
      which: this.#name,
    });
  }

  load(section: StateSection): void {
    this.#section = section;
    this.#sendLoad(section);
  }

  #sendLoad(section: StateSection): void {
    const request = this.#link.ask(this.#device, (done) => {
      if (done.failure !== undefined) this.#failure = errorOf(done.failure);
    });
    this.#link.send({ case: 'load', value: { device: this.#device, request, section } });
  }

  /** To a device host in power-on state: the state, but not yet that it stands still. */
  restore(): void {
    if (this.#section !== undefined) this.#sendLoad(this.#section);
  }

  /** ... and that, behind everything that the proxy restores. */
  restoreQuiesce(): void {
    if (this.#repeat !== undefined) this.#repeat();
    else if (this.quiesced) {
      const request = this.#link.ask(this.#device, () => {});
      this.#link.send({ case: 'quiesce', value: { device: this.#device, request } });
    }
  }
}
