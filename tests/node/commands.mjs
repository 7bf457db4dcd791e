// Every command of 1.6 and of its security extension, asked by REST, received and answered by a third
// party's charger. The 19 of 1.6 run in strict mode: requests that leave the server and answers that
// reach it are checked by ocpp-rpc's own schemas. It knows none for the security extension, so those 7
// go to a second charger without strict mode. Prints `ok`/`FAIL` lines; $OCPP_URL, $REST_URL, $KEY.
import { RPCClient, createRPCError } from 'ocpp-rpc';

let failed = 0;
function check(name, ok, why) {
    console.log(ok ? `ok   ${name}` : `FAIL ${name}: ${JSON.stringify(why)}`);
    failed += !ok;
}
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
// What comes back may have its members in another order; what goes out may not.
const sorted = (value) => value instanceof Array ? value.map(sorted) : value instanceof Object ?
    Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value;
const equal = (a, b) => same(sorted(a), sorted(b));

const accepted = { status: 'Accepted' };
const profile = {
    chargingProfileId: 1, stackLevel: 0, chargingProfilePurpose: 'TxDefaultProfile', chargingProfileKind: 'Absolute',
    chargingSchedule: { startSchedule: '2026-01-01T00:00:00Z', chargingRateUnit: 'A',
        chargingSchedulePeriod: [{ startPeriod: 0, limit: 16.1 }] },
};
// action, payload, the charger's answer
const core = [
    ['CancelReservation', { reservationId: 7 }, accepted],
    ['ChangeAvailability', { connectorId: 1, type: 'Operative' }, { status: 'Scheduled' }],
    ['ChangeConfiguration', { key: 'HeartbeatInterval', value: '60' }, { status: 'RebootRequired' }],
    ['ClearCache', {}, accepted],
    ['ClearChargingProfile', { id: 1 }, { status: 'Unknown' }],
    ['DataTransfer', { vendorId: 'V', messageId: 'M', data: 'é€🚗' }, { status: 'Accepted', data: 'back' }],
    ['GetCompositeSchedule', { connectorId: 1, duration: 60 }, { status: 'Rejected' }],
    ['GetConfiguration', { key: ['B', 'A'] }, { configurationKey: [{ key: 'A', readonly: false, value: '1' }], unknownKey: ['B'] }],
    ['GetDiagnostics', { location: 'ftp://example.org/' }, { fileName: 'diagnostics.zip' }],
    ['GetLocalListVersion', {}, { listVersion: 3 }],
    ['RemoteStartTransaction', { idTag: 'VID:FCA47A147858', connectorId: 2 }, accepted],
    ['RemoteStopTransaction', { transactionId: 1 }, { status: 'Rejected' }],
    ['ReserveNow', { connectorId: 1, expiryDate: '2099-01-01T00:00:00Z', idTag: 'A', reservationId: 7 }, { status: 'Occupied' }],
    ['Reset', { type: 'Soft' }, { status: 'Rejected' }],
    ['SendLocalList', { listVersion: 1, localAuthorizationList: [], updateType: 'Full' }, { status: 'VersionMismatch' }],
    ['SetChargingProfile', { connectorId: 1, csChargingProfiles: profile }, accepted],
    ['TriggerMessage', { requestedMessage: 'Heartbeat' }, { status: 'NotImplemented' }],
    ['UnlockConnector', { connectorId: 1 }, { status: 'UnlockFailed' }],
    ['UpdateFirmware', { location: 'ftp://example.org/f.bin', retrieveDate: '2026-01-01T00:00:00Z' }, {}],
];
const hash = { hashAlgorithm: 'SHA256', issuerNameHash: 'a', issuerKeyHash: 'b', serialNumber: 'c' };
const security = [
    ['CertificateSigned', { certificateChain: 'PEM' }, accepted],
    ['DeleteCertificate', { certificateHashData: hash }, { status: 'NotFound' }],
    ['ExtendedTriggerMessage', { requestedMessage: 'LogStatusNotification' }, accepted],
    ['GetInstalledCertificateIds', { certificateType: 'ManufacturerRootCertificate' }, { status: 'Accepted', certificateHashData: [hash] }],
    ['GetLog', { logType: 'SecurityLog', requestId: 4, log: { remoteLocation: 'ftp://example.org/' } }, { status: 'Accepted', filename: 'log' }],
    ['InstallCertificate', { certificateType: 'CentralSystemRootCertificate', certificate: 'PEM' }, { status: 'Failed' }],
    ['SignedUpdateFirmware', { requestId: 5, firmware: { location: 'ftp://example.org/', retrieveDateTime: '2026-01-01T00:00:00Z', signingCertificate: 'PEM', signature: 'S' } }, accepted],
];

async function charger(identity, strictMode) {
    const client = new RPCClient({ endpoint: process.env.OCPP_URL, identity, protocols: ['ocpp1.6'], strictMode,
        reconnect: false, callTimeoutMs: 30000 });
    client.on('strictValidationFailure', (event) => check('strict validation', false, String(event.error)));
    await client.connect();
    const boot = await client.call('BootNotification', { chargePointVendor: 'Strict', chargePointModel: 'Third party' });
    check(`${identity} is accepted`, boot.status === 'Accepted', boot);
    return client;
}

async function ask(identity, action, payload) {
    const answer = await fetch(`${process.env.REST_URL}/api/v1/chargepoints/${identity}/commands/${action}`, {
        method: 'POST', body: JSON.stringify(payload),
        headers: { 'X-API-Key': process.env.KEY, 'Content-Type': 'application/json' } });
    return [answer.status, await answer.json()];
}

async function ask_all(client, identity, rows) {
    for (const [action, payload, answer] of rows) {
        let heard;
        client.handle(action, ({ params }) => { heard = params; return answer; });
        const [status, body] = await ask(identity, action, payload);
        check(`${action} arrives as given`, same(heard, payload), heard);
        check(`${action}: the charger's own answer comes back`,
            status === 200 && body.status === 'accepted' && equal(body.response, answer) && body.ms >= 0, [status, body]);
    }
}

const strict = await charger('STRICT02', true);
await ask_all(strict, 'STRICT02', core);
strict.handle('ClearCache', () => { throw createRPCError('SecurityError', 'not today', { why: 'rain' }); });
const [status, body] = await ask('STRICT02', 'ClearCache', {});
check('a CALLERROR comes back as it was', status === 200 && body.status === 'error' && body.errorCode === 'SecurityError' &&
    body.errorDescription === 'not today' && same(body.errorDetails, { why: 'rain' }), [status, body]);
strict.handle('GetConfiguration', () => new Promise(() => { setImmediate(() => strict.close({ code: 1001, force: true })); }));
const [gone, problem] = await ask('STRICT02', 'GetConfiguration', {});
check('the connection goes away: told at once', gone === 502, [gone, problem]);
const [offline] = await ask('STRICT02', 'GetConfiguration', {});
check('not connected: 409', offline === 409, offline);

const lax = await charger('SECURE02', false);
await ask_all(lax, 'SECURE02', security);
await lax.close();
process.exit(failed ? 1 : 0);
