import { DurableSqsLambdaPlugin } from './plugin.ts';

// biome-ignore lint/style/noDefaultExport: the deploy tool takes the default export of a plugin
export default DurableSqsLambdaPlugin;
