CREATE TABLE patients (
  id INTEGER NOT NULL,
  patient TEXT NOT NULL,
  name TEXT NOT NULL,
  enrolled DOUBLE NOT NULL,
  CONSTRAINT pk_patients PRIMARY KEY (id),
  CONSTRAINT uq_patients_patient UNIQUE (patient)
);

CREATE TABLE leases (
  name TEXT NOT NULL,
  token TEXT NOT NULL,
  renewals BIGINT NOT NULL,
  holder TEXT NOT NULL,
  since DOUBLE NOT NULL,
  renewed DOUBLE NOT NULL,
  CONSTRAINT pk_leases PRIMARY KEY (name)
);

CREATE TABLE audit (
  id INTEGER NOT NULL,
  time DOUBLE NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  patient TEXT NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE INDEX ix_audit_patient ON audit (patient);

CREATE TABLE keys (
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created DOUBLE NOT NULL,
  patients TEXT,
  devices TEXT DEFAULT '[]' NOT NULL,
  expires DOUBLE,
  CONSTRAINT pk_keys PRIMARY KEY (id),
  CONSTRAINT uq_keys_digest UNIQUE (digest)
);

CREATE TABLE deliveries (
  "key" TEXT NOT NULL,
  message TEXT NOT NULL,
  target TEXT NOT NULL,
  patient TEXT NOT NULL,
  payload TEXT NOT NULL,
  created DOUBLE NOT NULL,
  attempts INTEGER NOT NULL,
  due DOUBLE NOT NULL,
  high BOOLEAN NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  receipt TEXT NOT NULL,
  ended DOUBLE,
  CONSTRAINT pk_deliveries PRIMARY KEY ("key")
);

CREATE INDEX ix_deliveries_patient_ended ON deliveries (patient, ended);

CREATE INDEX ix_deliveries_state_target_high_due ON deliveries (state, target, high, due);

CREATE TABLE sizes (
  name TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  CONSTRAINT pk_sizes PRIMARY KEY (name)
);

CREATE TABLE devices (
  device TEXT NOT NULL,
  patient_id INTEGER,
  since DOUBLE NOT NULL,
  CONSTRAINT pk_devices PRIMARY KEY (device),
  CONSTRAINT fk_devices_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE streams (
  id INTEGER NOT NULL,
  patient_id INTEGER NOT NULL,
  stream TEXT NOT NULL,
  sampling_rate_hz DOUBLE NOT NULL,
  leads TEXT NOT NULL,
  unit TEXT NOT NULL,
  longest INTEGER NOT NULL,
  CONSTRAINT pk_streams PRIMARY KEY (id),
  CONSTRAINT uq_streams_patient_id_stream_sampling_rate_hz_leads_unit UNIQUE (patient_id, stream, sampling_rate_hz, leads, unit),
  CONSTRAINT fk_streams_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE journal (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_journal PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_journal_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE snapshots (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  event BIGINT NOT NULL,
  state BLOB NOT NULL,
  CONSTRAINT pk_snapshots PRIMARY KEY (patient_id),
  CONSTRAINT fk_snapshots_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE beats (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  time DOUBLE NOT NULL,
  at_s DOUBLE NOT NULL,
  beat_s DOUBLE NOT NULL,
  position BIGINT NOT NULL,
  interval_s DOUBLE,
  verdict TEXT NOT NULL,
  hint TEXT NOT NULL,
  score DOUBLE,
  p_value DOUBLE,
  threshold DOUBLE,
  reason TEXT NOT NULL,
  confidence TEXT,
  CONSTRAINT pk_beats PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_beats_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
)
 WITHOUT ROWID;

CREATE INDEX ix_beats_patient_id_time ON beats (patient_id, time);

CREATE TABLE events (
  id INTEGER NOT NULL,
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  time DOUBLE NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_events PRIMARY KEY (id),
  CONSTRAINT uq_events_patient_id_number UNIQUE (patient_id, number),
  CONSTRAINT fk_events_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_events_patient_id_time ON events (patient_id, time);

CREATE TABLE alarm_log (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  event BIGINT NOT NULL,
  time DOUBLE NOT NULL,
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
  patient_id INTEGER NOT NULL,
  event BIGINT NOT NULL,
  time DOUBLE NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_evidence PRIMARY KEY (patient_id, event),
  CONSTRAINT fk_evidence_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_evidence_patient_id_time ON evidence (patient_id, time);

CREATE TABLE checkpoints (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  digest TEXT NOT NULL,
  CONSTRAINT pk_checkpoints PRIMARY KEY (patient_id),
  CONSTRAINT fk_checkpoints_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE origins (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  time DOUBLE NOT NULL,
  origin DOUBLE NOT NULL,
  CONSTRAINT pk_origins PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_origins_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE alarms (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  condition TEXT NOT NULL,
  priority INTEGER NOT NULL,
  phase TEXT NOT NULL,
  state TEXT NOT NULL,
  origin DOUBLE NOT NULL,
  event BIGINT NOT NULL,
  CONSTRAINT pk_alarms PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_alarms_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE INDEX ix_alarms_patient_id_event ON alarms (patient_id, event);

CREATE INDEX ix_alarms_phase ON alarms (phase);

CREATE TABLE commands (
  id INTEGER NOT NULL,
  patient_id INTEGER NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_commands PRIMARY KEY (id),
  CONSTRAINT fk_commands_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);

CREATE TABLE sessions (
  digest TEXT NOT NULL,
  key_id INTEGER NOT NULL,
  expires DOUBLE NOT NULL,
  CONSTRAINT pk_sessions PRIMARY KEY (digest),
  CONSTRAINT fk_sessions_key_id FOREIGN KEY(key_id) REFERENCES keys (id) ON DELETE CASCADE
);

CREATE TABLE waveforms (
  patient_id INTEGER NOT NULL,
  number BIGINT NOT NULL,
  stream_id INTEGER NOT NULL,
  position BIGINT NOT NULL,
  samples INTEGER NOT NULL,
  received DOUBLE NOT NULL,
  sent DOUBLE,
  signal BLOB NOT NULL,
  pulses BLOB,
  CONSTRAINT pk_waveforms PRIMARY KEY (patient_id, number),
  CONSTRAINT fk_waveforms_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id),
  CONSTRAINT fk_waveforms_stream_id FOREIGN KEY(stream_id) REFERENCES streams (id)
);

CREATE INDEX ix_waveforms_stream_id_position ON waveforms (stream_id, position);

CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);

INSERT INTO alembic_version VALUES ('initial');
