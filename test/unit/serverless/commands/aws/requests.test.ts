import { describe, expect, it } from 'vitest';
import { refusalOf } from '../../../../../src/serverless/commands/aws/requests.ts';

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe('refusalOf', () => {
  it("gives AWS's text, which names what a policy lacks", () => {
    const denied = named('AccessDeniedException', 'not authorized to perform lambda:ListEventSourceMappings');
    expect(refusalOf(denied)).toBe('AccessDeniedException: not authorized to perform lambda:ListEventSourceMappings');
    expect(refusalOf(named('TimeoutError', ''))).toBe('TimeoutError');
    expect(refusalOf('odd')).toBe('odd');
  });

  it.each([
    ['SignatureDoesNotMatch', 'x-amz-security-token:TOKEN'],
    ['InvalidSignatureException', 'x-amz-security-token:TOKEN'],
    ['AccessDenied', 'The Canonical String for this request should have been x-amz-security-token:TOKEN'],
  ])('leaves out the text of %s, which quotes the session token', (name, message) => {
    expect(refusalOf(named(name, message))).toBe(name);
  });
});
