import { type Problems, type Section, shown } from './section.ts';

/** A queue of another service. */
export interface SharedQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
}

/**
 * The queue of another service that a section names by `url` and `arn`; undefined where it names none, or only half of
 * one.
 */
export function readSharedQueue(section: Section | undefined, problems: Problems): SharedQueue | undefined {
  const url = section?.text('url');
  const arn = section?.text('arn');
  if (section === undefined || (url === undefined && arn === undefined)) return undefined;
  if (url === undefined || arn === undefined) {
    const missing = url === undefined ? 'url' : 'arn';
    problems.add(`${section.path}.${missing}`, 'expected url and arn of an existing queue together, got only one; add the other');
    return undefined;
  }
  const [ofUrl, ofArn] = [lastTwoParts(url, '/'), lastTwoParts(arn, ':')];
  if (ofUrl !== ofArn) {
    problems.add(section.path, `expected url and arn of one queue, got account and name ${shown(ofUrl)} and ${shown(ofArn)}`);
  }
  return { name: arn.slice(arn.lastIndexOf(':') + 1), url, arn };
}

function lastTwoParts(text: string, separator: string): string {
  return text.split(separator).slice(-2).join('/');
}
