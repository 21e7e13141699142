export interface Order {
  readonly orderId: string;
  readonly amountCents: number;
  readonly address: string;
}

export interface Payment {
  readonly chargeId: string;
  readonly amountCents: number;
}

export interface Shipment {
  readonly trackingId: string;
}
