/** Where the store is, seen from here. The test that lays this service out says where it is from there. */
export { openStore } from '../../../postgres/database/open-store.mjs';
