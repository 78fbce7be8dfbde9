// Runs in every slow suite, by Jest's setupFilesAfterEnv: a suite that takes a minute alone must pass on a machine ten times slower.
import { jest } from "@jest/globals";

jest.setTimeout(1_200_000);
