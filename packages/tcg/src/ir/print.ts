import type {
  AccessGroup,
  Block,
  GroupMember,
  HelperDef,
  Inst,
  MemoryAccess,
  ModeChange,
  Region,
  RegisterFile,
  Target,
  Terminator,
} from './ir.ts';
import { opRow } from './ops.ts';

const hex = (v: bigint): string => (v < 0n ? `-0x${(-v).toString(16)}` : `0x${v.toString(16)}`);

/** `s32.le.a64.slow`, then `.add` and the like for read-modify-writes. */
export function printAccess(mem: MemoryAccess): string {
  const rmw = mem.rmw === undefined ? '' : `.${mem.rmw}`;
  const sign = mem.signed ? 's' : 'u';
  const order = mem.bigEndian ? 'be' : 'le';
  return `${sign}${mem.width * 8}.${order}.a${mem.addressType.slice(1)}.${mem.alignment}${rmw}`;
}

function printTarget(target: Target): string {
  if (typeof target === 'bigint') return hex(target);
  return target === 'next' ? 'next' : `.${target.relative}`;
}

function printMode(mode: ModeChange | undefined): string {
  return mode === undefined ? '' : ` mode +${mode.set} -${mode.clear}`;
}

/** A terminator as text, as it stands at a block's end or after `leave`. */
export function printTerminator(t: Terminator): string {
  switch (t.kind) {
    case 'goto':
      return `goto ${printTarget(t.target)}${printMode(t.mode)}`;
    case 'branch':
      return `branch v${t.condition}, ${printTarget(t.taken)}, ${printTarget(t.notTaken)}${printMode(t.mode)}`;
    case 'call':
      return `call_to ${printTarget(t.target)}${printMode(t.mode)}`;
    case 'indirect':
      return `indirect ${t.hint} v${t.pc}${printMode(t.mode)}`;
    case 'exit':
      return `exit ${t.pc}`;
    case 'unreachable':
      return 'unreachable';
  }
}

/** One instruction as text, without its result's name. */
export function printInst(inst: Inst): string {
  const args = inst.args.map((v) => `v${v}`);
  const words: string[] = [];
  if (inst.reg !== undefined) {
    const { file, index } = inst.reg;
    words.push(`${file.name}[${index}]`);
  }
  if (inst.field !== undefined) words.push(`.${inst.field}`);
  if (inst.imm !== undefined) words.push(hex(inst.imm));
  if (inst.offset !== undefined) words.push(`+0x${inst.offset.toString(16)}`);
  if (inst.width !== undefined) words.push(`${inst.width}`);
  if (inst.helper !== undefined) return `${inst.op}.${inst.type} ${inst.helper.name}(${args.join(', ')})`;
  if (inst.leave !== undefined) return `leave ${printTerminator(inst.leave)}`;
  words.push(...args);
  if (inst.mem !== undefined) words.push(printAccess(inst.mem));
  const { types } = opRow(inst.op);
  const name = types.length === 1 ? inst.op : `${inst.op}.${inst.type}`;
  return words.length === 0 ? name : `${name} ${words.join(', ')}`;
}

/** A comment: groups are found anew from the text, not read back. */
function printGroup(member: GroupMember, groups: AccessGroup[]): string {
  const { low, high, align } = member.shared;
  if (!groups.includes(member.shared)) groups.push(member.shared);
  return ` ; group ${groups.indexOf(member.shared)} at ${member.at}, bytes ${low} to ${high}, align ${align}`;
}

/** A block as text: see {@link parseIr} for the grammar. Values are named by their index. */
export function printBlock(block: Block): string {
  const lines = [`block ${hex(block.pc)} mode ${block.mode} {`];
  const groups: AccessGroup[] = [];
  let indent = '  ';
  block.insts.forEach((inst, i) => {
    if (inst.op === 'end' || inst.op === 'else') indent = indent.slice(2);
    const name = opRow(inst.op).result === null ? '' : `v${i} = `;
    lines.push(
      `${indent}${name}${printInst(inst)}${inst.group === undefined ? '' : printGroup(inst.group, groups)}`,
    );
    if (inst.op === 'if' || inst.op === 'else') indent += '  ';
  });
  lines.push(`  ${printTerminator(block.terminator)}`, '}');
  return lines.join('\n') + '\n';
}

/** A region as text: entry, pages, blocks in order. */
export function printRegion(region: Region): string {
  const pages = [...region.pages]
    .map(([virtual, physical]) => `page ${hex(virtual)} ${hex(BigInt(physical))}\n`)
    .join('');
  const blocks = [...region.blocks.values()].map(printBlock).join('');
  return `region ${hex(region.entry)} mode ${region.mode}\n${pages}${blocks}`;
}

/** Declaration of a register file. */
export function printFile(file: RegisterFile): string {
  const zero = file.zero === undefined ? '' : ` zero ${file.zero}`;
  const sink = file.sink === undefined ? '' : ` sink ${file.sink}`;
  const { name, type, offset, count, stride } = file;
  return `file ${name} ${type} at 0x${offset.toString(16)} count ${count} stride ${stride}${zero}${sink}\n`;
}

/** Declaration of a helper. */
export function printHelper(h: HelperDef): string {
  const fault = `${h.mayFault ? ' fault' : ''}${h.noReturn ? ' noreturn' : ''}`;
  return `helper ${h.module}.${h.name}(${h.params.join(', ')}) ${h.result ?? 'void'} ${h.effect}${fault}\n`;
}
