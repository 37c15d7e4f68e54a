import type { InterruptLine, MmioDevice, StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { AttachRequest, RegisterAccess } from '@polyvisor/proto/service/device';
import { LEVELS_AT } from '../shared/layout.ts';
import type { MailboxDevice } from '../shared/mailbox-server.ts';
import { StateRecord } from '../shared/state-record.ts';
import type { HostedDevice, HostLink } from './host-link.ts';
import { refuse } from './hosted-model.ts';

/** The interrupt line of a device whose interrupt controller is elsewhere. Made before the device. */
export class HostedLine implements InterruptLine {
  #level = false;
  #tell: ((level: boolean) => void) | undefined;

  set(level: boolean): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#tell?.(level);
  }

  connect(tell: (level: boolean) => void): void {
    this.#tell = tell;
  }

  announce(): void {
    this.#tell?.(this.#level);
  }
}

/** What is shared with an owner on the same host. */
export interface SharedRegisters {
  /** Words of the ring descriptor. */
  readonly rings: Int32Array;
  /** The owner is to look at the level of the line. */
  readonly lineChanged: () => void;
}

/** Answers register accesses that come in messages, or that vCPU threads bring to shared memory by themselves. */
export class HostedRegisters implements HostedDevice, MailboxDevice {
  readonly name: string;
  readonly #index: number;
  readonly #device: MmioDevice;
  readonly #line: HostedLine;
  readonly #link: HostLink;
  readonly size: number;
  readonly #shared: SharedRegisters | undefined;
  readonly #stateRecord: StateRecord | undefined;
  #quiesced = false;
  /** Another one takes its place, and goes on from what is on record and what the line showed. */
  #retired = false;
  #last: StateSection | undefined;
  #after = 0;
  /** Answers that leave at the end of this turn, behind the record of what they show. */
  #replies: { readonly request: number; readonly value: number }[] = [];
  #flushPlanned = false;
  #generation = 0;

  constructor(index: number, device: MmioDevice, line: HostedLine, link: HostLink, shared?: SharedRegisters) {
    this.#index = index;
    this.name = device.name;
    this.#device = device;
    this.#line = line;
    this.#link = link;
    this.size = device.size;
    this.#shared = shared;
    this.#stateRecord = shared === undefined ? undefined : new StateRecord(shared.rings, index);
    this.#takeUp();
    line.connect((level) => {
      if (this.#retired) return;
      if (shared === undefined) {
        link.send({
          case: 'interrupt',
          value: { device: index, pin: 0, kind: { case: 'level', value: level } },
        });
      } else {
        Atomics.store(shared.rings, LEVELS_AT + index, level ? 1 : 0);
        shared.lineChanged();
      }
      this.#plan();
    });
  }

  /** Goes on from the state that a device host before this one has left in shared memory. */
  #takeUp(): void {
    const left = this.#stateRecord?.read(this.#device.save().type);
    if (left !== undefined) this.#device.load(left);
  }

  get ready(): boolean {
    return !this.#quiesced && !this.#retired;
  }

  access(offset: number, width: number, write: boolean, value: number): number {
    let read = 0;
    if (write) this.#device.write(offset, width, value);
    else read = this.#device.read(offset, width);
    this.#record();
    return read;
  }

  receive(message: AttachRequest['message']): void {
    switch (message.case) {
      case 'access':
        this.#access(message.value);
        break;
      case 'reset':
        this.#device.reset();
        this.#plan();
        break;
      case 'quiesce':
        this.#quiesce(message.value.request);
        break;
      case 'resume':
        this.#quiesced = false;
        this.#device.resume();
        this.#shared?.lineChanged();
        break;
      case 'load':
        this.#load(message.value.request, message.value.section);
        break;
      default:
        this.#link.broken(`${message.case} for ${this.name}`);
    }
  }

  #access({ window, offset, width, write, value, request, reply }: RegisterAccess): void {
    const possible =
      window === 0 && (width === 1 || width === 2 || width === 4) && offset + width <= this.#device.size;
    if (!possible) {
      this.#link.broken(`access of ${width} bytes at ${offset} of ${this.name}`);
      return;
    }
    let read = 0;
    if (write) this.#device.write(offset, width, value);
    else read = this.#device.read(offset, width);
    this.#after = request;
    if (reply) this.#replies.push({ request, value: read });
    this.#plan();
  }

  #plan(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushPlanned = false;
    if (this.#retired) return;
    this.#record();
    for (const { request, value } of this.#replies) {
      this.#link.send({ case: 'reply', value: { device: this.#index, request, value } });
    }
    this.#replies = [];
  }

  #record(): void {
    const section = this.#device.save();
    if (this.#last !== undefined && sameBytes(section.bytes, this.#last.bytes)) return;
    this.#last = section;
    if (this.#stateRecord !== undefined && StateRecord.fits(section)) this.#stateRecord.write(section);
    else this.#link.send({ case: 'record', value: { device: this.#index, section, after: this.#after } });
  }

  #quiesce(request: number): void {
    const generation = this.#generation;
    this.#quiesced = true;
    void this.#device
      .quiesce()
      .then(() => {
        if (generation !== this.#generation) return;
        this.#flush();
        this.#link.send({ case: 'done', value: { request, section: this.#device.save() } });
      })
      .catch((error: unknown) => refuse(this.#link, request, error));
  }

  #load(request: number, section: StateSection | undefined): void {
    try {
      if (section === undefined) throw new PolyvisorError('corrupt', { what: 'no state', which: this.name });
      // What is in shared memory is newer than what the owner knows, unless the device is being moved here.
      if (this.#quiesced || this.#stateRecord?.read(section.type) === undefined) this.#device.load(section);
      this.#last = undefined;
      this.#plan();
      this.#link.send({ case: 'done', value: { request } });
    } catch (error) {
      refuse(this.#link, request, error);
    }
  }

  async restart(): Promise<void> {
    this.#generation++;
    this.#replies = [];
    this.#retired = true;
    await this.#device.quiesce();
    this.#device.reset();
    this.#device.resume();
  }

  announce(): void {
    this.#line.announce();
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
