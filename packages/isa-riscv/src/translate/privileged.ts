import type { Builder, Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { CBO, SFENCE } from '../mode.ts';
import { X } from '../state.ts';
import { access } from './base.ts';
import type { Translate, Translations } from './translation.ts';

/** Bytes of a cache block, as the device tree tells the guest. */
export const CACHE_BLOCK_SIZE = 64;

/** A fence over translations; `va` and `asid` say which of the registers count. */
const sfence =
  (va: boolean, asid: boolean, more = 0): Translate =>
  (b, o) => {
    const flags = (va ? SFENCE.hasVa : 0) | (asid ? SFENCE.hasAsid : 0) | more;
    const place: Value = va ? b.get(X, o.rs1) : b.i64(0);
    const space: Value = asid ? b.get(X, o.rs2) : b.i64(0);
    b.callVoid(HELPERS.sfence, b.env(), place, space, b.i32(flags));
    b.exit('next');
  };

const trapReturn =
  (helper: (typeof HELPERS)['mret' | 'sret']): Translate =>
  (b) => {
    b.callVoid(helper, b.env());
    b.exit('env');
  };

const manage =
  (kind: number): Translate =>
  (b, o) =>
    b.callVoid(HELPERS.cbo, b.env(), b.i32(kind), b.get(X, o.rs1));

function zeroBlock(b: Builder, start: Value): void {
  for (let at = 0; at < CACHE_BLOCK_SIZE; at += 8) {
    b.store('i64', access(8, false), b.op('add', 'i64', start, b.i64(at)), b.i64(0));
  }
}

/** Privileged instructions, Svinval, Zawrs (which never wait: a wait may end for any reason). */
export const PRIVILEGED_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: {
    mret: trapReturn(HELPERS.mret),
    sret: trapReturn(HELPERS.sret),
    wfi: (b) => {
      b.callVoid(HELPERS.wfi, b.env());
      b.exit('next');
    },
    'wrs.nto': () => {},
    'wrs.sto': () => {},
    'sfence.vma': sfence(true, true),
    'sfence.vma_va': sfence(true, false),
    'sfence.vma_asid': sfence(false, true),
    'sfence.vma_all': sfence(false, false),
    'sinval.vma': sfence(true, true, SFENCE.sinval),
    'sinval.vma_va': sfence(true, false, SFENCE.sinval),
    'sinval.vma_asid': sfence(false, true, SFENCE.sinval),
    'sinval.vma_all': sfence(false, false, SFENCE.sinval),
    'sfence.w.inval': sfence(false, false, SFENCE.fenceOnly),
    'sfence.inval.ir': sfence(false, false, SFENCE.fenceOnly),
  },
};

/** Zicbom and Zicboz. Memory is coherent: nothing has to be done but checking that it may be asked for. */
export const CACHE_BLOCK_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: {
    'cbo.inval': manage(CBO.inval),
    'cbo.clean': manage(CBO.clean),
    'cbo.flush': manage(CBO.flush),
    'cbo.zero': (b, o) => {
      manage(CBO.zero)(b, o);
      zeroBlock(b, b.op('and', 'i64', b.get(X, o.rs1), b.i64(-CACHE_BLOCK_SIZE)));
    },
  },
};
