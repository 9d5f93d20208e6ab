/** Server-sent events out of a stream of text, as the HTML standard has them. */

export interface EventFrame {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

/** Give it text as it comes; it gives back the events that are whole. */
export class EventFrames {
  #rest = '';

  push(text: string): EventFrame[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop()!;
    return blocks.map(frameOf).filter((frame) => frame !== null);
  }
}

function frameOf(block: string): EventFrame | null {
  let event = 'message';
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const field = line.slice(0, colon);
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') id = value;
  }
  return data.length === 0 ? null : { event, data: data.join('\n'), id };
}
