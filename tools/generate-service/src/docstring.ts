/** A docstring of one or more lines with what a .proto file says above an element; nothing where it says nothing. */
export function docstring(comment: string, indent: string): string {
  if (comment === '') return '';
  const lines = comment.split('\n').map((line) => line.trim());
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd() + '\n').join('')}${indent} */\n`;
}
