import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import { COMMANDS } from './commands.ts';
import { COMPLETION_WRITERS } from './format-completion.ts';
import { formatHelp } from './format-help.ts';
import { nearest } from './nearest.ts';
import { parseCommandLine } from './parse-command-line.ts';

const parse = (...args: string[]) => parseCommandLine(args, COMMANDS);
const contextOf = (...args: string[]) => {
  const parsed = parse(...args);
  if (parsed.kind !== 'run') throw new Error(parsed.kind);
  return parsed.context;
};

describe('command line', () => {
  test('values, switches, repeats', () => {
    expect(
      contextOf('run', '-m', '1G', '--disk=a', '--disk', 'b', '--no-rng', '--icount', '--append=x=y').options,
    ).toEqual({
      memory: ['1G'],
      disk: ['a', 'b'],
      rng: false,
      icount: true,
      append: ['x=y'],
    });
  });
  test('a value that may be left out', () => {
    expect(contextOf('run', '--split', '--memory', '1G').options).toEqual({ split: [''], memory: ['1G'] });
    expect(contextOf('run', '--split=stream').options).toEqual({ split: ['stream'] });
  });
  test('operands', () => {
    expect(contextOf('image', 'rm', 'a', '--', '--b').operands).toEqual(['a', '--b']);
  });
  test('help and version', () => {
    expect(parse()).toEqual({ kind: 'help', topic: '' });
    expect(parse('image')).toEqual({ kind: 'help', topic: 'image' });
    expect(parse('image', 'pull', '-h')).toEqual({ kind: 'help', topic: 'image pull' });
    expect(parse('--version')).toEqual({ kind: 'version' });
  });
  test.each([
    [['rnu'], 'unknown command: rnu; did you mean run?'],
    [['image', 'pul'], 'unknown command: image pul; did you mean image pull?'],
    [['run', '--memry', '1G'], 'unknown option: --memry; did you mean --memory?'],
    [['run', '--no-rgn'], 'unknown option: --no-rgn; did you mean --no-rng?'],
    [['run', '--no-kernel'], 'unknown option: --no-kernel'],
    [['run', '--memory'], 'option needs a value: --memory'],
    [['run', '--rng=1'], 'option takes no value: --rng'],
    [['run', '--memory', '1G', '-m', '2G'], 'option given more than once: -m'],
    [['run', 'x'], 'unexpected argument: x'],
    [['image', 'inspect'], 'missing argument: NAME'],
  ])('%j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
  test('any arguments parse or are refused', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('run', 'image', 'pull', '--', '-m', '--disk', '--no-rng', '--help'),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (args) => {
        try {
          parse(...args);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('invalid-argument');
        }
      }),
    );
  });
});

test('help exists for all, fits a terminal and names every option', () => {
  for (const command of COMMANDS) {
    const help = formatHelp(command.name, COMMANDS)!;
    for (const { name } of command.options) expect(help).toContain(`${name}`);
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(115);
  }
  expect(formatHelp('', COMMANDS)).toContain('Exit status');
  expect(formatHelp('nothing', COMMANDS)).toBeUndefined();
});

test('nearest: a slip is found, another word is not', () => {
  expect(nearest('memroy', ['memory', 'name'])).toBe('memory');
  expect(nearest('xyz', ['memory', 'name'])).toBeUndefined();
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (word) =>
      expect(nearest(word, ['other-thing', word])).toBe(word),
    ),
  );
});

describe('completion', () => {
  const script = COMPLETION_WRITERS.bash(COMMANDS);
  const complete = (...words: string[]) => {
    const list = words.map((word) => `'${word}'`).join(' ');
    const run = spawnSync(
      'bash',
      [
        '-c',
        `${script}\nCOMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}\n_polyvisor\nprintf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    );
    expect(run.stderr).toBe('');
    return run.stdout.trim().split('\n');
  };
  const testIfBash = spawnSync('bash', ['--version']).status === 0 ? test : test.skip;
  testIfBash('bash offers commands, options and values', () => {
    expect(complete('polyvisor', 'i')).toEqual(['image', 'img', 'io', 'inspect']);
    expect(complete('polyvisor', 'image', '')).toEqual(['pull', 'ls', 'inspect', 'rm', 'build-rootfs']);
    expect(complete('polyvisor', 'run', '--spl')).toEqual(['--split', '--split=shared', '--split=stream']);
    expect(complete('polyvisor', 'serve', '')).toEqual(['cpu', 'devices', 'block', 'node']);
    expect(complete('polyvisor', 'run', '--mem')).toEqual(['--memory']);
    expect(complete('polyvisor', 'run', '--console', '')).toEqual(['serial', 'virtio', 'none']);
    expect(complete('polyvisor', 'image', 'pull', '--f')).toEqual(['--force', '--format']);
    expect(complete('polyvisor', 'completion', 'z')).toEqual(['zsh']);
  });
  test('the others are not empty', () => {
    expect(COMPLETION_WRITERS.zsh(COMMANDS)).toMatch(/^#compdef polyvisor/);
    expect(COMPLETION_WRITERS.fish(COMMANDS)).toContain('-l no-rng');
  });
});

test('an error stays one line, and is no command for the terminal, whatever a file is called', () => {
  const error = new PolyvisorError('not-found', {
    what: "can't open",
    which: 'a\nb\x1b[2J\u009b',
    hint: 'é',
  });
  expect(error.message).toBe("can't open: a\\x0ab\\x1b[2J\\x9b; é");
});
