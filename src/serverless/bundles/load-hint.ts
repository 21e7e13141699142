const OFF = 'custom.durable.loadCheck: false turns this check off';

interface Hint {
  readonly pattern: RegExp;
  readonly fix: (match: RegExpExecArray) => string;
}

/** What is behind the errors of bundles, most telling first. */
const HINTS: readonly Hint[] = [
  {
    pattern: /Dynamic require of "([^"]+)" is not supported|require is not defined/,
    fix: () =>
      'a CommonJS package in an ES module: let custom.esbuild.banner keep the require that the plugin puts there, or bundle with format: cjs (without outputFileExtension)',
  },
  {
    pattern: /(?:module|exports) is not defined in ES module scope/,
    fix: () =>
      'CommonJS (module.exports) in a file that a package.json with "type": "module" makes an ES module: write it with export, or name it .cjs; of a client that is generated (Prisma\'s), generate it first',
  },
  {
    pattern: /expected an export "/,
    fix: () =>
      'compare the name with serverless.yml; a handler written with module.exports needs format: cjs (without outputFileExtension)',
  },
  {
    pattern: /Cannot use import statement outside a module|Unexpected token 'export'/,
    fix: () => 'an ES module in a file that Lambda takes for CommonJS: set custom.esbuild.outputFileExtension: .mjs',
  },
  {
    pattern:
      /No native build was found|Could not locate the bindings file|invalid ELF header|ERR_DLOPEN_FAILED|cannot open shared object|Cannot find module '([^']*\.node)'|Could not load the "(\w+)" module/,
    fix: () =>
      'a native add-on cannot be bundled: name its package in custom.esbuild.external, so that it is installed in the archive, for the operating system and architecture of the function',
  },
  {
    pattern: /Cannot find (?:package|module) '([^'./][^']*)'/,
    fix: ([, name]) =>
      `"${name}" is neither in the bundle nor in the archive: install it, take it out of custom.esbuild.exclude, or put it into a layer`,
  },
  {
    pattern: /ENOENT: no such file or directory, \w+ '([^']+)'/,
    fix: ([, file]) => `${file} is not in the archive: name its package in custom.esbuild.external, or the file in package.patterns`,
  },
];

/** What to do about a bundle that does not load. @param problem the error, with its stack */
export function loadHint(problem: string): string {
  for (const { pattern, fix } of HINTS) {
    const match = pattern.exec(problem);
    if (match !== null) return `${fix(match)}. ${OFF}`;
  }
  return OFF;
}

/** A package that a bundle may rightly lack: Lambda's runtime has it, or a layer may. */
export function isProvided(problem: string, hasLayers: boolean): boolean {
  const name = /Cannot find (?:package|module) '([^'./][^']*)'/.exec(problem)?.[1];
  return name !== undefined && (hasLayers || /^(?:@aws-sdk|@smithy)\//.test(name));
}
