/** What Ctrl-A and a letter ask for. */
export type EscapeAction = 'quit' | 'reset' | 'pause' | 'stats' | 'help' | 'unknown';

/** What Ctrl-A and a letter ask for at a terminal that was only joined. */
export type JoinedAction = 'detach' | 'help' | 'unknown';

const ESCAPE = 0x01;
const ACTIONS: Readonly<Record<string, EscapeAction>> = {
  x: 'quit',
  r: 'reset',
  p: 'pause',
  s: 'stats',
  h: 'help',
  '?': 'help',
};

/** Letters of {@link JoinedAction}. */
export const JOINED_KEYS: Readonly<Record<string, JoinedAction>> = {
  d: 'detach',
  x: 'detach',
  h: 'help',
  '?': 'help',
};

/** The list that Ctrl-A h shows at a terminal that was only joined. */
export const JOINED_HELP = [
  'Ctrl-A d  leave the console; the VM runs on',
  'Ctrl-A h  show this list',
  'Ctrl-A a  send Ctrl-A to the guest',
];

/** The list that Ctrl-A h shows. */
export const ESCAPE_HELP = [
  'Ctrl-A x  end the machine',
  'Ctrl-A r  reset the machine',
  'Ctrl-A p  pause, or go on',
  'Ctrl-A s  show figures',
  'Ctrl-A h  show this list',
  'Ctrl-A a  send Ctrl-A to the guest',
];

/**
 * Splits what a user types into bytes for the guest and escape actions. The escape key and its letter may come
 * in different pieces. Ctrl-A twice also sends one.
 */
export function createEscapeKeys(act: (action: EscapeAction) => void): (input: Uint8Array) => Uint8Array {
  return createKeyFilter<EscapeAction>(ACTIONS, act);
}

/** {@link createEscapeKeys} with letters of the caller's. */
export function createKeyFilter<Action extends string>(
  actions: Readonly<Record<string, Action>>,
  act: (action: Action | 'unknown') => void,
): (input: Uint8Array) => Uint8Array {
  let escaped = false;
  return (input) => {
    if (!escaped && !input.includes(ESCAPE)) return input;
    const kept = new Uint8Array(input.length);
    let length = 0;
    for (const byte of input) {
      if (!escaped) {
        escaped = byte === ESCAPE;
        if (!escaped) kept[length++] = byte;
        continue;
      }
      escaped = false;
      const letter = String.fromCharCode(byte).toLowerCase();
      if (byte === ESCAPE || letter === 'a') kept[length++] = ESCAPE;
      else act(actions[letter] ?? 'unknown');
    }
    return kept.subarray(0, length);
  };
}
