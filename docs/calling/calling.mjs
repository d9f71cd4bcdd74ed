// Assigns a lead, then tells what becomes of it and others: calling.mjs TARGET ACCOUNT LEAD OWNER CREDENTIALS

import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import grpc from '@grpc/grpc-js'
import protoLoader from '@grpc/proto-loader'
import protobuf from 'protobufjs'

const SERVICE_CONFIG = readFileSync('proto/leadflip/ownership/v1/service_config.json', 'utf8')
// Milliseconds for a call, all repetitions together.
const DEADLINE = 5_000
// Why a watch may end that can go on. The first is no reason of the service: the way to it broke.
const RESUMABLE = ['', 'DRAINING', 'STORE_UNAVAILABLE', 'KEYS_UNAVAILABLE', 'IDENTITY_EXPIRED', 'WATCH_LIMIT_REACHED', 'WATCH_TOO_SLOW']

const contract = grpc.loadPackageDefinition(
  protoLoader.loadSync('leadflip/ownership/v1/ownership_service.proto', {
    includeDirs: ['proto', 'proto/vendor'],
    enums: String,
    longs: Number,
    defaults: true,
    oneofs: true,
  }),
).leadflip.ownership.v1

// What google/rpc/status.proto and error_details.proto say, as far as it is needed.
const details = protobuf.parse(`syntax = "proto3"; package google.rpc;
  message Status { int32 code = 1; string message = 2; repeated Detail details = 3; }
  message Detail { string type_url = 1; bytes value = 2; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
  message FieldViolation { string field = 1; string description = 2; }`).root

// A client of every replica that the target names. Made once and shared: it has all connections.
function connect(target, directory) {
  const options = { 'grpc.service_config': SERVICE_CONFIG, 'grpc.keepalive_time_ms': 30_000 }
  return new contract.OwnershipService(target, credentials(directory), options)
}

// Whom to trust, and who calls: what the certificate in the directory says, or else the token.
function credentials(directory) {
  // Certificates are read once: make a new client, and close the old one, when their files change.
  const read = (name) => readFileSync(`${directory}/${name}`)
  if (existsSync(`${directory}/tls.crt`)) {
    return grpc.credentials.createSsl(read('ca.crt'), read('tls.key'), read('tls.crt'))
  }
  // Asked for each call, since tokens are replaced before they expire.
  const bearer = grpc.credentials.createFromMetadataGenerator((_, give) => {
    const metadata = new grpc.Metadata()
    metadata.set('authorization', `Bearer ${read('token').toString().trim()}`)
    give(null, metadata)
  })
  return grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(read('ca.crt')), bearer)
}

// Makes a member the owner of a lead, once, however often the channel has to send the request.
function assign(service, accountId, leadId, ownerId) {
  const request = { accountId, leadId, ownerId, context: { requestId: randomUUID(), reason: 'by hand' } }
  return promisify(service.assign).call(service, request, { deadline: Date.now() + DEADLINE })
}

// Why a call was refused: reason, what belongs to it, and what is wrong with which field.
function refusal(error) {
  const found = { reason: '', metadata: {}, fields: {} }
  const [status] = error.metadata?.get('grpc-status-details-bin') ?? []
  for (const { typeUrl, value } of status ? details.lookupType('Status').decode(status).details : []) {
    const type = typeUrl.slice('type.googleapis.com/google.rpc.'.length)
    if (type === 'ErrorInfo') {
      Object.assign(found, details.lookupType(type).decode(value))
    } else if (type === 'BadRequest') {
      const { fieldViolations } = details.lookupType(type).decode(value)
      found.fields = Object.fromEntries(fieldViolations.map(({ field, description }) => [field, description]))
    }
  }
  return found
}

// What changes after a revision, for ever.
async function* watch(service, accountId, revision) {
  const position = { afterRevision: revision }
  for (;;) {
    try {
      for await (const message of service.watchOwnerChanges({ accountId, ...position })) {
        const kind = message.message
        if (kind === 'started') position.historyId = message.started.historyId
        if (kind === 'changes') yield* message.changes.changes
        // All up to here was told. Keep it with what you make of the changes.
        if (kind) position.afterRevision = message[kind].revision
      }
    } catch (error) {
      if (!RESUMABLE.includes(refusal(error).reason)) throw error
      console.error(`the watch goes on soon: ${error.details}`)
    }
    await sleep(2_000 * Math.random())
  }
}

const [target, account, lead, owner, directory] = process.argv.slice(2)
const service = connect(target, directory)
try {
  const { revision } = await assign(service, account, lead, owner)
  console.log(`${lead} is assigned to ${owner} at revision ${revision}`)
  for await (const change of watch(service, account, revision)) {
    console.log(`${change.leadId} goes to ${change.ownerId ?? 'nobody'} at revision ${change.revision}`)
  }
} catch (error) {
  const { reason, metadata, fields } = refusal(error)
  console.error(grpc.status[error.code], reason, metadata, fields, error.details)
  process.exit(1)
}
