CREATE TABLE patients (
  id BIGSERIAL NOT NULL,
  patient TEXT NOT NULL,
  name TEXT NOT NULL,
  enrolled DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_patients PRIMARY KEY (id),
  CONSTRAINT uq_patients_patient UNIQUE (patient)
);

CREATE TABLE leases (
  name TEXT NOT NULL,
  token TEXT NOT NULL,
  renewals BIGINT NOT NULL,
  holder TEXT NOT NULL,
  since DOUBLE PRECISION NOT NULL,
  renewed DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_leases PRIMARY KEY (name)
);

CREATE TABLE audit (
  id BIGSERIAL NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  patient TEXT NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE INDEX ix_audit_patient ON audit (patient);

CREATE TABLE keys (
  id BIGSERIAL NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created DOUBLE PRECISION NOT NULL,
  patients TEXT,
  devices TEXT DEFAULT '[]' NOT NULL,
  expires DOUBLE PRECISION,
  CONSTRAINT pk_keys PRIMARY KEY (id),
  CONSTRAINT uq_keys_digest UNIQUE (digest)
);

COMMENT ON COLUMN keys.scopes IS 'separated by blanks';

COMMENT ON COLUMN keys.patients IS 'JSON: for whom it sends; NULL = any patient';

COMMENT ON COLUMN keys.devices IS 'JSON: as which devices it sends';

COMMENT ON COLUMN keys.expires IS 'NULL = never';

CREATE TABLE deliveries (
  key TEXT NOT NULL,
  message TEXT NOT NULL,
  target TEXT NOT NULL,
  patient TEXT NOT NULL,
  payload TEXT NOT NULL,
  created DOUBLE PRECISION NOT NULL,
  attempts INTEGER NOT NULL,
  due DOUBLE PRECISION NOT NULL,
  high BOOLEAN NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  receipt TEXT NOT NULL,
  ended DOUBLE PRECISION,
  CONSTRAINT pk_deliveries PRIMARY KEY (key)
);

CREATE INDEX ix_deliveries_patient_ended ON deliveries (patient, ended);

CREATE INDEX ix_deliveries_state_target_high_due ON deliveries (state, target, high, due);

COMMENT ON COLUMN deliveries.payload IS 'JSON';

COMMENT ON COLUMN deliveries.ended IS 'when it was taken or given up';

CREATE TABLE sizes (
  name TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  CONSTRAINT pk_sizes PRIMARY KEY (name)
);

CREATE TABLE devices (
  device TEXT NOT NULL,
  patient_id BIGINT,
  since DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_devices PRIMARY KEY (device),
  CONSTRAINT fk_devices_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE streams (
  id BIGSERIAL NOT NULL,
  patient_id BIGINT NOT NULL,
  stream TEXT NOT NULL,
  sampling_rate_hz DOUBLE PRECISION NOT NULL,
  leads TEXT NOT NULL,
  unit TEXT NOT NULL,
  longest INTEGER NOT NULL,
  CONSTRAINT pk_streams PRIMARY KEY (id),
  CONSTRAINT uq_streams_patient_id_stream_sampling_rate_hz_leads_unit UNIQUE (patient_id, stream, sampling_rate_hz, leads, unit),
  CONSTRAINT fk_streams_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

COMMENT ON COLUMN streams.leads IS 'JSON';

COMMENT ON COLUMN streams.longest IS 'samples of its longest chunk';

CREATE TABLE journal (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  body BYTEA NOT NULL,
  CONSTRAINT pk_journal PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_journal_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

COMMENT ON COLUMN journal.body IS 'msgpack';

CREATE TABLE snapshots (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  event BIGINT NOT NULL,
  state BYTEA NOT NULL,
  CONSTRAINT pk_snapshots PRIMARY KEY (patient_id),
  CONSTRAINT fk_snapshots_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

COMMENT ON COLUMN snapshots.number IS 'last input in it';

COMMENT ON COLUMN snapshots.event IS 'last event before it';

CREATE TABLE beats (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  at_s DOUBLE PRECISION NOT NULL,
  beat_s DOUBLE PRECISION NOT NULL,
  position BIGINT NOT NULL,
  interval_s DOUBLE PRECISION,
  verdict TEXT NOT NULL,
  hint TEXT NOT NULL,
  score DOUBLE PRECISION,
  p_value DOUBLE PRECISION,
  threshold DOUBLE PRECISION,
  reason TEXT NOT NULL,
  confidence TEXT,
  CONSTRAINT pk_beats PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_beats_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_beats_patient_id_time ON beats (patient_id, time);

COMMENT ON COLUMN beats.confidence IS 'none for the most part: the patient''s normal is known';

CREATE TABLE events (
  id BIGSERIAL NOT NULL,
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  body BYTEA NOT NULL,
  CONSTRAINT pk_events PRIMARY KEY (id),
  CONSTRAINT uq_events_patient_id_number UNIQUE (patient_id, number),
  CONSTRAINT fk_events_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_events_patient_id_time ON events (patient_id, time);

COMMENT ON COLUMN events.body IS 'msgpack';

CREATE TABLE alarm_log (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  event BIGINT NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  alarm BIGINT NOT NULL,
  change TEXT NOT NULL,
  who TEXT NOT NULL,
  why TEXT NOT NULL,
  digest TEXT NOT NULL,
  CONSTRAINT pk_alarm_log PRIMARY KEY (patient_id, number),
  CONSTRAINT uq_alarm_log_patient_id_event UNIQUE (patient_id, event),
  CONSTRAINT fk_alarm_log_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE evidence (
  patient_id BIGINT NOT NULL,
  event BIGINT NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  body BYTEA NOT NULL,
  CONSTRAINT pk_evidence PRIMARY KEY (patient_id, event),
  CONSTRAINT fk_evidence_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_evidence_patient_id_time ON evidence (patient_id, time);

COMMENT ON COLUMN evidence.body IS 'msgpack';

CREATE TABLE checkpoints (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  digest TEXT NOT NULL,
  CONSTRAINT pk_checkpoints PRIMARY KEY (patient_id),
  CONSTRAINT fk_checkpoints_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE origins (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  time DOUBLE PRECISION NOT NULL,
  origin DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_origins PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_origins_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE alarms (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  condition TEXT NOT NULL,
  priority INTEGER NOT NULL,
  phase TEXT NOT NULL,
  state TEXT NOT NULL,
  origin DOUBLE PRECISION NOT NULL,
  event BIGINT NOT NULL,
  CONSTRAINT pk_alarms PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_alarms_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_alarms_patient_id_event ON alarms (patient_id, event);

CREATE INDEX ix_alarms_phase ON alarms (phase);

COMMENT ON COLUMN alarms.origin IS 'time of stream second 0';

CREATE TABLE commands (
  id BIGSERIAL NOT NULL,
  patient_id BIGINT NOT NULL,
  body BYTEA NOT NULL,
  CONSTRAINT pk_commands PRIMARY KEY (id),
  CONSTRAINT fk_commands_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

COMMENT ON COLUMN commands.body IS 'msgpack';

CREATE TABLE sessions (
  digest TEXT NOT NULL,
  key_id BIGINT NOT NULL,
  expires DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_sessions PRIMARY KEY (digest),
  CONSTRAINT fk_sessions_key_id FOREIGN KEY(key_id) REFERENCES keys (id) ON DELETE CASCADE
);

CREATE TABLE waveforms (
  patient_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  stream_id BIGINT NOT NULL,
  position BIGINT NOT NULL,
  samples INTEGER NOT NULL,
  received DOUBLE PRECISION NOT NULL,
  sent DOUBLE PRECISION,
  signal BYTEA NOT NULL,
  pulses BYTEA,
  CONSTRAINT pk_waveforms PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_waveforms_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id),
  CONSTRAINT fk_waveforms_stream_id FOREIGN KEY(stream_id) REFERENCES streams (id)
);

CREATE INDEX ix_waveforms_stream_id_position ON waveforms (stream_id, position);

COMMENT ON COLUMN waveforms.signal IS 'float32, little-endian, lead after lead per sample';

COMMENT ON COLUMN waveforms.pulses IS 'msgpack; none where there are no pulse waves';

CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);

INSERT INTO alembic_version VALUES ('initial');
