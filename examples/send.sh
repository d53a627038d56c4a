#!/bin/sh
# Sends one second of a 250 Hz lead, all zero, with nothing but curl. Set ECTOPY_URL and ECTOPY_KEY, name a patient.
curl --fail-with-body --silent --show-error "${ECTOPY_URL:-http://127.0.0.1:8765}/api/patients/${1:-bed%203}/chunks" \
  --header "Authorization: Bearer $ECTOPY_KEY" --header "Content-Type: application/json" \
  --data "{\"position\": ${2:-0}, \"sampling_rate_hz\": 250, \"leads\": [\"II\"], \"samples\": [$(yes '[0.0]' | head -250 | paste -sd, -)]}"
