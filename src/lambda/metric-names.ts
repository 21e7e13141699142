/** Namespace of the metrics in CloudWatch. Their dimensions are `FunctionName` and `Step`. */
export const METRICS_NAMESPACE = 'DurableSqsLambda';
/** Value of the dimension `Step` for tasks of steps that their function does not serve. */
export const NOT_SERVED = '(not served)';
