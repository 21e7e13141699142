import { describe, expect, it } from 'vitest';
import { groupOf, selfTimes } from '../../../bench/profile/cpu-profile.ts';

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 0, columnNumber: 0 });

describe('self times of a profile', () => {
  it('a sample counts for whoever was on top, and idle time for nobody', () => {
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('send', 'file:///x/node_modules/@aws-sdk/core/a.js') },
        { id: 2, callFrame: frame('(idle)', '') },
        { id: 3, callFrame: frame('writev', '') },
      ],
      samples: [1, 2, 1, 3],
      timeDeltas: [1_000, 9_000, 2_000, 500],
    };
    expect(selfTimes(profile, (url) => url)).toEqual([
      ['@aws-sdk/core', 3],
      ['Node, native', 0.5],
    ]);
  });

  it.each([
    ['file:///a/node_modules/middy/node_modules/@smithy/core/dist/x.js', '@smithy/core'],
    ['../../node_modules/aws4/aws4.js', 'aws4'],
    ['../../src/sqs/batcher.ts', 'src/sqs'],
    ['file:///repo/bench/peers/x.ts', 'bench'],
    ['node:internal/streams', 'Node'],
  ])('%s belongs to %s', (file, group) => {
    expect(groupOf(file)).toBe(group);
  });
});
