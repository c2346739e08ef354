// What a white body gives back: nine spherical harmonics, without their constants, and some distant lamps.
uniform vec3 harmonics[9];
uniform vec3 towards[MOST_LAMPS];
uniform vec3 lamps[MOST_LAMPS];
uniform int lamp_count;

vec3 received(vec3 n, float openness) {
    vec3 soft = harmonics[0] + harmonics[1] * n.y + harmonics[2] * n.z + harmonics[3] * n.x;
    soft += harmonics[4] * (n.x * n.y) + harmonics[5] * (n.y * n.z) + harmonics[6] * (3.0 * n.z * n.z - 1.0);
    soft += harmonics[7] * (n.x * n.z) + harmonics[8] * (n.x * n.x - n.y * n.y);
    vec3 hard = vec3(0.0);
    for (int i = 0; i < lamp_count; i++) hard += lamps[i] * max(dot(n, towards[i]), 0.0);
    return max(soft * openness + hard, 0.0);
}
