// One scripted session of a third-party strict charger (npm ocpp-rpc): every call and every answer is
// checked by its own copy of the official schemas. Prints `ok`/`FAIL` lines; the server is at $OCPP_URL.
import { RPCClient } from 'ocpp-rpc';

let failed = 0;
function check(name, ok, why) {
    console.log(ok ? `ok   ${name}` : `FAIL ${name}: ${JSON.stringify(why)}`);
    failed += !ok;
}

const client = new RPCClient({
    endpoint: process.env.OCPP_URL,
    identity: 'STRICT01',
    protocols: ['ocpp1.6'],
    strictMode: true,
    reconnect: false,
    callTimeoutMs: 30000,
});
client.on('strictValidationFailure', (event) => check('strict validation', false, event));

// The time of day is the script's own: a session of an hour, one message a minute.
const minute = (n) => new Date(Date.UTC(2026, 4, 1, 12, n)).toISOString();
const tag = 'VID:FCA47A147858';

await client.connect();
check('the server speaks ocpp1.6', client.protocol === 'ocpp1.6', client.protocol);
const boot = await client.call('BootNotification', {
    chargePointVendor: 'Strict', chargePointModel: 'Third party', firmwareVersion: '1.0',
});
check('BootNotification is accepted', boot.status === 'Accepted' && boot.interval > 0, boot);
for (const connectorId of [0, 1, 2]) {
    const answer = await client.call('StatusNotification',
        { connectorId, errorCode: 'NoError', status: 'Available', timestamp: minute(0) });
    check(`StatusNotification ${connectorId}`, Object.keys(answer).length === 0, answer);
}
const heartbeat = await client.call('Heartbeat', {});
check('Heartbeat tells the time', !Number.isNaN(Date.parse(heartbeat.currentTime)), heartbeat);
const known = await client.call('Authorize', { idTag: tag });
check('a known tag is accepted', known.idTagInfo.status === 'Accepted', known);
const unknown = await client.call('Authorize', { idTag: 'NOBODY' });
check('an unknown tag is invalid', unknown.idTagInfo.status === 'Invalid', unknown);
const start = await client.call('StartTransaction',
    { connectorId: 1, idTag: tag, meterStart: 1000, timestamp: minute(1) });
check('the transaction has an id', start.transactionId > 0 && start.idTagInfo.status === 'Accepted', start);
for (let n = 2; n < 7; n++) {
    const answer = await client.call('MeterValues', {
        connectorId: 1, transactionId: start.transactionId,
        meterValue: [{ timestamp: minute(n), sampledValue: [
            { value: String(1000 + n * 500), measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
            { value: '60000', measurand: 'Power.Active.Import', unit: 'W' },
            { value: String(40 + n), measurand: 'SoC', unit: 'Percent' },
        ] }],
    });
    check(`MeterValues ${n}`, Object.keys(answer).length === 0, answer);
}
const stop = await client.call('StopTransaction',
    { transactionId: start.transactionId, meterStop: 4200, timestamp: minute(8), idTag: tag, reason: 'Local' });
check('the stop is answered with the tag', stop.idTagInfo.status === 'Accepted', stop);
const data = await client.call('DataTransfer', { vendorId: 'nobody.knows', messageId: 'X' });
check('an unknown vendor is told so', data.status === 'UnknownVendorId', data);
for (const status of ['Downloading', 'Downloaded', 'Installing', 'Installed'])
    check(`FirmwareStatusNotification ${status}`,
        Object.keys(await client.call('FirmwareStatusNotification', { status })).length === 0);
for (const status of ['Uploading', 'Uploaded'])
    check(`DiagnosticsStatusNotification ${status}`,
        Object.keys(await client.call('DiagnosticsStatusNotification', { status })).length === 0);
await client.close();
process.exit(failed ? 1 : 0);
